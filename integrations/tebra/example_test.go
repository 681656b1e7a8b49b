package tebra_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

func Example() {
	sim, err := tebratest.New(tebratest.Config{Seed: 1})
	if err != nil {
		fmt.Println(err)
		return
	}
	clinic := sim.Clinics()[0]
	account := clinic.Account()
	client, err := tebra.New(tebra.Options{
		Account: "example",
		Credentials: tebra.Credentials{
			CustomerKey: phi.Text(account.CustomerKey), User: phi.Text(account.User), Password: phi.Text(account.Password),
		},
		HTTPClient: sim.Client(),
	})
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
