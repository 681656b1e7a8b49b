package tebra_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// exampleClient returns a client of a simulated practice. It uses the given password, or the
// correct one if password is empty.
func exampleClient(password phi.Text) (*tebra.Client, *tebratest.Clinic, error) {
	sim, err := tebratest.New(tebratest.Config{Seed: 1})
	if err != nil {
		return nil, nil, err
	}
	clinic := sim.Clinics()[0]
	credentials := clinic.Account().Credentials()
	credentials.Password = cmp.Or(password, credentials.Password)
	client, err := tebra.New(tebra.Options{Account: "example", Credentials: credentials, HTTPClient: sim.Client()})
	return client, clinic, err
}

// List reads the appointments of a day. A second call at once is throttled, and the error contains
// the interval to wait.
func ExampleAppointmentsService_List() {
	client, clinic, err := exampleClient("")
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	day := time.Date(2026, 2, 24, 0, 0, 0, 0, clinic.Location())
	list := tebra.ListAppointmentsRequest{PracticeName: "Example Practice", From: day, To: day, Location: clinic.Location()}
	board, err := client.Appointments.List(ctx, list)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(len(board.Rows), "visits; the first is for", board.Rows[0].PatientName, "at", board.Rows[0].Start.Format(time.Kitchen))

	_, err = client.Appointments.List(ctx, list)
	if failed, ok := errors.AsType[*tebra.Error](err); ok {
		fmt.Println(err, failed.Interval, failed.Permanent())
	}
	// Output:
	// 90 visits; the first is for [phi] at 8:00AM
	// tebra GetAppointments: throttled 1s false
}

// A rejected login is a permanent error. Further attempts may lock the account.
func ExampleError() {
	client, _, err := exampleClient("not the password")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Directory.Practices(context.Background(), tebra.PracticesRequest{})
	fmt.Println(err)
	fmt.Println(errors.Is(err, &tebra.Error{Code: tebra.Unauthenticated}))
	if failed, ok := errors.AsType[*tebra.Error](err); ok {
		fmt.Println(failed.ErrorCode(), failed.Permanent(), failed.Sent)
	}
	// Output:
	// tebra GetPractices: unauthenticated
	// true
	// vendor_unauthenticated true true
}

// Pages reads all patients, page by page. A failed page contains the key from which to resume.
func ExamplePatientsService_Pages() {
	client, _, err := exampleClient("")
	if err != nil {
		fmt.Println(err)
		return
	}
	for page, err := range client.Patients.Pages(context.Background(), tebra.PatientPagesRequest{Size: 1000}) {
		if err != nil {
			fmt.Println(err, "- resume from", page.Next.Reveal())
			break
		}
		fmt.Println(len(page.Rows), "patients")
	}
	// Output:
	// 1000 patients
	// tebra GetAllPatients: throttled - resume from 1001001
}
