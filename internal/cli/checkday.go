package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
)

// boardsFilled wants every visit of today on every board, and every patient known but the one who cannot be fetched.
func (c *dayCheck) boardsFilled(ctx context.Context) error {
	for i, p := range c.demo.Practices {
		want := p.Clinic.Appointments(c.demo.Clock.Now().In(p.Clinic.Location()))
		unknown := 0
		if i == 0 {
			unknown = 1
		}
		err := until(ctx, func() error {
			r, err := c.board(ctx, p)
			switch {
			case err != nil:
				return err
			case len(r.Board.Rows) != len(want) || r.Missing > 0:
				return fmt.Errorf("%s: %d of %d visits", p.Name, len(r.Board.Rows), len(want))
			case r.Unknown != unknown:
				return fmt.Errorf("%s: %d patients are not known", p.Name, r.Unknown)
			}
			return nil
		})
		if err != nil {
			return err
		}
		c.report.Appointments += len(want)
		people := map[string]bool{}
		for _, v := range want {
			people[v.PatientID] = true
		}
		c.report.Patients += len(people)
	}
	row, err := c.row(ctx, c.canaryVisit)
	if err == nil && (row.Name.Reveal() != canaryFirst+" "+canaryLast || row.Phone.Reveal() != canaryPhone) {
		err = errors.New("the planted patient's record did not come through")
	}
	return err
}

// row finds one visit on the first practice's board.
func (c *dayCheck) row(ctx context.Context, visit string) (practice.BoardRow, error) {
	r, err := c.board(ctx, c.demo.Practices[0])
	if err != nil {
		return practice.BoardRow{}, err
	}
	for _, row := range r.Board.Rows {
		if row.Appointment == phi.Text(visit) {
			return row, nil
		}
	}
	return practice.BoardRow{}, errors.New("the visit is not on the board")
}

func (c *dayCheck) readsHit(ctx context.Context) error {
	for _, p := range c.demo.Practices {
		hits := 0
		for range 20 {
			r, err := c.board(ctx, p)
			if err != nil {
				return err
			}
			if r.Hit {
				hits++
			}
		}
		if hits < 15 { // staff may change a visit meanwhile
			return fmt.Errorf("%s: %d of 20 reads hit", p.Name, hits)
		}
	}
	return nil
}

func (c *dayCheck) statusChange(ctx context.Context) error {
	p := c.demo.Practices[0]
	at := time.Now()
	if err := p.Clinic.SetStatus(c.canaryVisit, tebratest.CheckedIn); err != nil {
		return err
	}
	c.watch.expect(statusChange{practice: p, visit: c.canaryVisit, at: at})
	err := until(ctx, func() error {
		row, err := c.row(ctx, c.canaryVisit)
		if err == nil && row.Status != practice.CheckedIn {
			err = errors.New("the board shows " + string(row.Status))
		}
		return err
	})
	if err != nil {
		return err
	}
	return until(ctx, func() error {
		if !c.watch.seen(c.canaryVisit) {
			return errors.New("the log has no event of it")
		}
		return nil
	})
}

func (c *dayCheck) brokenPatient(ctx context.Context) error {
	row, err := c.row(ctx, c.brokenVisit)
	switch {
	case err != nil:
		return err
	case row.Known:
		return errors.New("a record that cannot be fetched is known")
	case row.Name.Reveal() != brokenFirst+" "+brokenLast:
		return errors.New("the board does not show the name that the visit itself carries")
	}
	return nil
}

// outageLasts is how long the vendor is away at least: half an hour of the practices' day and more. Breakers let few calls
// through to it, and the outage goes on until one met it that has nothing to do with the record that fails at any time.
const outageLasts = 6 * time.Second

// onItsWay is how long after an outage began an answer may still come in that the vendor gave before: beyond the slowest
// of its answers in this day, and half of the time until boards are looked at again.
const onItsWay = time.Second

func (c *dayCheck) outage(ctx context.Context) error {
	calls := len(c.demo.Vendor.Calls(0))
	c.demo.Vendor.Outage(true)
	began := time.Now()
	defer c.demo.Vendor.Outage(false)
	wait := time.NewTimer(outageLasts)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-wait.C:
	}
	if err := until(ctx, func() error { return wasAway(c.demo.Vendor.Calls(calls)) }); err != nil {
		return err
	}
	for _, p := range c.demo.Practices {
		r, err := c.board(ctx, p)
		switch {
		case err != nil:
			return err
		case len(r.Board.Rows) == 0:
			return errors.New(p.Name + ": the outage emptied the board")
		case r.AsOf.After(began.Add(onItsWay)):
			return fmt.Errorf("%s: the board says it is %v old", p.Name, time.Since(r.AsOf).Round(time.Millisecond))
		}
	}
	return nil
}

// wasAway wants more among the calls that failed than reading a patient: the one who cannot be fetched fails at any time.
func wasAway(calls []tebratest.Call) error {
	for _, call := range calls {
		if call.Operation != readOperation && call.Outcome == tebratest.OutcomeFault {
			return nil
		}
	}
	return fmt.Errorf("none of %d calls met the outage", len(calls))
}

// readOperation is the vendor's name for reading one patient.
const readOperation = "GetPatient"

func (c *dayCheck) recovery(ctx context.Context) error {
	back := time.Now()
	for _, p := range c.demo.Practices {
		err := until(ctx, func() error {
			r, err := c.board(ctx, p)
			if err == nil && !r.AsOf.After(back) {
				err = fmt.Errorf("%s: the board is still %v old", p.Name, time.Since(r.AsOf).Round(time.Second))
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (c *dayCheck) healedPatient(ctx context.Context) error {
	c.demo.Vendor.FailPatient(c.brokenID, false)
	return until(ctx, func() error {
		row, err := c.row(ctx, c.brokenVisit)
		if err == nil && !row.Known {
			err = errors.New("the record is still missing")
		}
		return err
	})
}

// dayEnds waits for closing time, lets the staff go, and compares every board with the vendor, row by row.
func (c *dayCheck) dayEnds(ctx context.Context) error {
	if left := c.demo.Clock.Real(dayEnd.Add(-time.Hour).Sub(c.demo.Clock.Now())); left > 0 {
		wait := time.NewTimer(left)
		defer wait.Stop()
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-wait.C:
		}
	}
	c.watch.rest() // within the last open hour, so that the last looks see what the staff did last
	for _, p := range c.demo.Practices {
		if err := until(ctx, func() error { return c.equal(ctx, p) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *dayCheck) equal(ctx context.Context, p app.DemoPractice) error {
	want := map[phi.Text]practice.Status{}
	for _, v := range p.Clinic.Appointments(c.demo.Clock.Now().In(p.Clinic.Location())) {
		want[phi.Text(v.ID)] = practice.ParseStatus(v.Status)
	}
	r, err := c.board(ctx, p)
	if err != nil {
		return err
	}
	differ := len(want) - len(r.Board.Rows)
	for _, row := range r.Board.Rows {
		if want[row.Appointment] != row.Status {
			differ++
		}
	}
	if differ != 0 {
		return fmt.Errorf("%s: %d rows differ from the vendor's", p.Name, differ)
	}
	return nil
}
