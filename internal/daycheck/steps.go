package daycheck

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

// boardsFilled waits until every board has all visits of today, and every patient's record except
// the one that cannot be fetched.
func (d *day) boardsFilled(ctx context.Context) error {
	for i, p := range d.demo.Practices {
		want := p.Clinic.Appointments(d.demo.Clock.Now().In(p.Clinic.Location()))
		unknown := 0
		if i == 0 {
			unknown = 1
		}
		err := until(ctx, func() error {
			r, err := d.board(ctx, p)
			switch {
			case err != nil:
				return err
			case len(r.Board.Rows) != len(want) || r.Missing > 0:
				return fmt.Errorf("%s: %d of %d visits", p.Name, len(r.Board.Rows), len(want))
			case r.Unknown != unknown:
				return fmt.Errorf("%s: %d patients without a record", p.Name, r.Unknown)
			}
			return nil
		})
		if err != nil {
			return err
		}
		d.report.Appointments += len(want)
		people := map[string]bool{}
		for _, v := range want {
			people[v.PatientID] = true
		}
		d.report.Patients += len(people)
	}
	row, err := d.row(ctx, d.canaryVisit)
	if err == nil && (row.Name.Reveal() != canaryFirst+" "+canaryLast || row.Phone.Reveal() != canaryPhone) {
		err = errors.New("the board does not show the planted patient's record")
	}
	return err
}

// row returns one visit of the first practice's board.
func (d *day) row(ctx context.Context, visit string) (practice.BoardRow, error) {
	r, err := d.board(ctx, d.demo.Practices[0])
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

func (d *day) readsHit(ctx context.Context) error {
	for _, p := range d.demo.Practices {
		hits := 0
		for range 20 {
			r, err := d.board(ctx, p)
			if err != nil {
				return err
			}
			if r.Hit {
				hits++
			}
		}
		if hits < 15 { // staff may change a visit in between
			return fmt.Errorf("%s: %d of 20 reads hit the cache", p.Name, hits)
		}
	}
	return nil
}

func (d *day) statusChange(ctx context.Context) error {
	p := d.demo.Practices[0]
	at := time.Now()
	if err := p.Clinic.SetStatus(d.canaryVisit, tebratest.CheckedIn); err != nil {
		return err
	}
	d.watch.expect(StatusChange{Practice: p, Visit: d.canaryVisit, At: at})
	err := until(ctx, func() error {
		row, err := d.row(ctx, d.canaryVisit)
		if err == nil && row.Status != practice.CheckedIn {
			err = errors.New("the board shows " + string(row.Status))
		}
		return err
	})
	if err != nil {
		return err
	}
	return until(ctx, func() error {
		if !d.watch.seen(d.canaryVisit) {
			return errors.New("the event log has no event for it")
		}
		return nil
	})
}

func (d *day) brokenPatient(ctx context.Context) error {
	row, err := d.row(ctx, d.brokenVisit)
	switch {
	case err != nil:
		return err
	case row.Known:
		return errors.New("the board has a record that cannot be fetched")
	case row.Name.Reveal() != brokenFirst+" "+brokenLast:
		return errors.New("the board does not show the name from the visit")
	}
	return nil
}

// outageLasts is the minimum length of the outage: an hour of the practices' day. Breakers let few
// calls through, so the outage continues until it has failed a call other than the one for the
// record that always fails.
const outageLasts = 6 * time.Second

// answerDelay is how long after the start of an outage an earlier answer of the vendor may still
// arrive. It is longer than the slowest answer of this day, and half the interval between syncs of
// a board.
const answerDelay = time.Second

func (d *day) outage(ctx context.Context) error {
	calls := len(d.demo.Vendor.Calls(0))
	d.demo.Vendor.Outage(true)
	began := time.Now()
	defer d.demo.Vendor.Outage(false)
	if err := wait(ctx, outageLasts); err != nil {
		return err
	}
	if err := until(ctx, func() error { return metOutage(d.demo.Vendor.Calls(calls)) }); err != nil {
		return err
	}
	for _, p := range d.demo.Practices {
		r, err := d.board(ctx, p)
		switch {
		case err != nil:
			return err
		case len(r.Board.Rows) == 0:
			return errors.New(p.Name + ": the outage emptied the board")
		case r.AsOf.After(began.Add(answerDelay)):
			return fmt.Errorf("%s: the board reports an age of only %v", p.Name, time.Since(r.AsOf).Round(time.Millisecond))
		}
	}
	return nil
}

// metOutage returns nil if a call other than reading a patient has failed. Reading the broken
// record always fails and proves nothing.
func metOutage(calls []tebratest.Call) error {
	for _, call := range calls {
		if call.Operation != readOperation && call.Outcome == tebratest.OutcomeFault {
			return nil
		}
	}
	return fmt.Errorf("none of %d calls failed because of the outage", len(calls))
}

// readOperation is the vendor's operation that reads one patient.
const readOperation = "GetPatient"

func (d *day) recovery(ctx context.Context) error {
	back := time.Now()
	for _, p := range d.demo.Practices {
		err := until(ctx, func() error {
			r, err := d.board(ctx, p)
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

func (d *day) healedPatient(ctx context.Context) error {
	d.demo.Vendor.FailPatient(d.brokenID, false)
	return until(ctx, func() error {
		row, err := d.row(ctx, d.brokenVisit)
		if err == nil && !row.Known {
			err = errors.New("the record is still missing")
		}
		return err
	})
}

// dayEnds waits for closing time, stops the staff and compares every board with the vendor, row by
// row.
func (d *day) dayEnds(ctx context.Context) error {
	if err := wait(ctx, d.demo.Clock.Real(dayEnd.Add(-time.Hour).Sub(d.demo.Clock.Now()))); err != nil {
		return err
	}
	d.watch.stopStaff() // within the last open hour, so that the last syncs see the last edits
	for _, p := range d.demo.Practices {
		if err := until(ctx, func() error { return d.equal(ctx, p) }); err != nil {
			return err
		}
	}
	return nil
}

func (d *day) equal(ctx context.Context, p app.DemoPractice) error {
	want := map[phi.Text]practice.Status{}
	for _, v := range p.Clinic.Appointments(d.demo.Clock.Now().In(p.Clinic.Location())) {
		want[phi.Text(v.ID)] = practice.ParseStatus(v.Status)
	}
	r, err := d.board(ctx, p)
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
		return fmt.Errorf("%s: %d rows differ from the vendor", p.Name, differ)
	}
	return nil
}
