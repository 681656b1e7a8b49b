package tebratest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Recording is an http.RoundTripper that writes what passes through Next into Dir: <Operation>.request.xml and
// <Operation>.response.xml, the last call of each operation. It holds both in memory and records credentials, so it is
// for the simulator only.
type Recording struct {
	Dir  string
	Next http.RoundTripper
}

// RoundTrip implements http.RoundTripper.
func (c Recording) RoundTrip(r *http.Request) (*http.Response, error) {
	_, op, _ := strings.Cut(strings.Trim(r.Header.Get("SOAPAction"), `"`), "/KareoServices/")
	if op == "" || filepath.Base(op) != op {
		return nil, errors.New("record: request has no operation")
	}
	request, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, fmt.Errorf("record: read request: %w", err)
	}
	inner := r.Clone(r.Context())
	inner.Body = io.NopCloser(bytes.NewReader(request))
	resp, err := c.Next.RoundTrip(inner)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	response, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("record: read response: %w", err)
	}
	resp.Body = io.NopCloser(bytes.NewReader(response))
	for side, content := range map[string][]byte{"request": request, "response": response} {
		if err := os.WriteFile(filepath.Join(c.Dir, op+"."+side+".xml"), content, 0o600); err != nil {
			return nil, fmt.Errorf("record: %w", err)
		}
	}
	return resp, nil
}

// Capture drives the client through every operation it speaks, against a simulator of its own, and leaves the envelopes
// in dir, which it makes if need be. What lies there otherwise stays.
func Capture(ctx context.Context, dir string) error {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	s, err := New(Config{Seed: 1})
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	clinic := s.clinics[0]
	a := clinic.Account()
	client, err := tebra.New(tebra.Options{
		Account: "capture",
		Credentials: tebra.Credentials{
			CustomerKey: phi.Text(a.CustomerKey), User: phi.Text(a.User), Password: phi.Text(a.Password),
		},
		HTTPClient: &http.Client{Transport: Recording{Dir: dir, Next: Transport{Handler: s}}},
	})
	if err != nil {
		return fmt.Errorf("capture: %w", err)
	}
	for _, op := range tebra.Operations() {
		drive, ok := drivers[op.Name]
		if !ok {
			return fmt.Errorf("capture: %s has no example call", op.Name)
		}
		if err := drive(ctx, client, clinic); err != nil {
			return fmt.Errorf("capture: %w", err)
		}
	}
	return nil
}

// drivers call each operation once, with every part of its request filled in.
var drivers = map[string]func(ctx context.Context, c *tebra.Client, at *Clinic) error{
	"GetPatient": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Patients.Get(ctx, at.Patients()[0].ID)
		return err
	},
	"GetPatients": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		p, today := at.Patients()[0], time.Now()
		_, err := c.Patients.List(ctx, tebra.ListPatientsRequest{
			PracticeName: at.practice.Name, PracticeID: at.id(), FirstName: phi.Text(p.FirstName), LastName: phi.Text(p.LastName),
			FullName: phi.Text(p.Name()), BornFrom: phi.Text(p.BirthDate.Format(time.DateOnly)),
			BornTo: phi.Text(p.BirthDate.Format(time.DateOnly)), CreatedFrom: today.AddDate(-9, 0, 0), CreatedTo: today,
			ModifiedFrom: today.AddDate(-9, 0, 0), ModifiedTo: today,
		})
		return err
	},
	"GetAllPatients": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Patients.Page(ctx, tebra.PatientPagesRequest{PracticeID: at.id(), From: at.Patients()[10].ID, Size: 5})
		return err
	},
	"GetAppointment": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Appointments.Get(ctx, at.Appointments(time.Now())[0].ID, at.zone)
		return err
	},
	"GetAppointments": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		today := time.Now().In(at.zone)
		_, err := c.Appointments.List(ctx, tebra.ListAppointmentsRequest{
			PracticeName: at.practice.Name, From: today, To: today.AddDate(0, 0, 1),
			ModifiedFrom: today.AddDate(-2, 0, 0), ModifiedTo: today, Location: at.zone,
		})
		return err
	},
	"GetPractices": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Directory.Practices(ctx, tebra.PracticesRequest{ID: at.id(), Name: at.practice.Name})
		return err
	},
	"GetProviders": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Directory.Providers(ctx, tebra.ProvidersRequest{PracticeName: at.practice.Name})
		return err
	},
	"GetServiceLocations": func(ctx context.Context, c *tebra.Client, at *Clinic) error {
		_, err := c.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{ID: at.siteID(), PracticeName: at.practice.Name})
		return err
	},
	"GetProcedureCodes": func(ctx context.Context, c *tebra.Client, _ *Clinic) error {
		_, _, err := c.Directory.ProcedureCodes(ctx, tebra.ProcedureCodesRequest{ID: "1", Code: "SIM01", ActiveOnly: true})
		return err
	},
	"GetThrottles": func(ctx context.Context, c *tebra.Client, _ *Clinic) error {
		_, err := c.System.Throttles(ctx)
		return err
	},
}
