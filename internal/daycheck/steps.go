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

// boardsFilled wants every visit of today on every board, and every patient known but the one who cannot be fetched.
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
				return fmt.Errorf("%s: %d patients are not known", p.Name, r.Unknown)
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
		err = errors.New("the planted patient's record did not come through")
	}
	return err
}

// row finds one visit on the first practice's board.
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
		if hits < 15 { // staff may change a visit meanwhile
			return fmt.Errorf("%s: %d of 20 reads hit", p.Name, hits)
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
			return errors.New("the log has no event of it")
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

func (d *day) outage(ctx context.Context) error {
	calls := len(d.demo.Vendor.Calls(0))
	d.demo.Vendor.Outage(true)
	began := time.Now()
	defer d.demo.Vendor.Outage(false)
	if err := wait(ctx, outageLasts); err != nil {
		return err
	}
	if err := until(ctx, func() error { return wasAway(d.demo.Vendor.Calls(calls)) }); err != nil {
		return err
	}
	for _, p := range d.demo.Practices {
		r, err := d.board(ctx, p)
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

// dayEnds waits for closing time, lets the staff go, and compares every board with the vendor, row by row.
func (d *day) dayEnds(ctx context.Context) error {
	if err := wait(ctx, d.demo.Clock.Real(dayEnd.Add(-time.Hour).Sub(d.demo.Clock.Now()))); err != nil {
		return err
	}
	d.watch.rest() // within the last open hour, so that the last looks see what the staff did last
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
		return fmt.Errorf("%s: %d rows differ from the vendor's", p.Name, differ)
	}
	return nil
}
