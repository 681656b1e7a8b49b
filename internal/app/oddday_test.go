package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/monitor"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/tasks"
)

// staffLeave is within the opening hours of all practices, so that the last syncs read the last
// edits.
var staffLeave = time.Date(2026, 3, 2, 21, 30, 0, 0, time.UTC)

// A vendor that has every oddity at once costs the boards of a whole day only what cannot be read,
// and operators see how many rows that is.
func TestBoardsOfAnOddDay(t *testing.T) {
	t.Parallel()
	queue := redistest.URL(t)
	d := oddDemo(t, queue)
	var staff sync.WaitGroup
	for _, p := range d.Practices {
		staff.Go(func() { play(t, d, p.Clinic) })
	}
	staff.Wait()
	readable, unreadable := 0, 0
	for _, p := range d.Practices {
		day := staffLeave.In(p.Clinic.Location())
		odd, visits := p.Clinic.OddVisits(day), p.Clinic.Appointments(day)
		d.look(t, p, civil.DateOf(day))
		eventually(t, func() error {
			r, err := d.Tools.Store.Board(t.Context(), p.Tenant, p.ID, civil.DateOf(day))
			if err != nil {
				return err
			}
			return errors.Join(holds(r.Board, visits, odd), d.own(p, r.Board), d.alerts(t.Context(), p, civil.DateOf(day), hidden(odd)))
		})
		readable, unreadable = readable+len(visits)-hidden(odd), unreadable+hidden(odd)
	}
	page := operatorsPage(t, queue, "sqlite:"+filepath.Join(d.Dir, "ledger.db"))
	if rows := rowsOnPage(t, page, lostRows); rows < unreadable {
		t.Errorf("the operators' page counts %d rows that cannot be read, want at least %d", rows, unreadable)
	}
	if rowsOnPage(t, page, []codes.Code{codes.RowField}) == 0 || rowsOnPage(t, page, []codes.Code{codes.RowRepeated}) == 0 {
		t.Error("the operators' page lacks rows without some of their values, or rows that share a number")
	}
	t.Logf("%d oddities; %d readable visits, all on their boards; %d that cannot be read, all counted", len(tebratest.Oddities()), readable, unreadable)
}

// lostRows are the codes of rows that no board can show.
var lostRows = []codes.Code{codes.RowUnidentified, codes.RowUndated, codes.RowUnreadable}

// oddDemo starts a demo whose vendor has every oddity.
func oddDemo(t *testing.T, queue string) *Demo {
	t.Helper()
	d, err := StartDemo(t.Context(), DemoOptions{
		QueueURL: queue, CacheURL: redistest.URL(t), Speed: 2400, Seed: 1, Visits: 50, Patients: 60,
		Prepare: func(v *tebratest.Server) error {
			v.SetThrottles(tebratest.Throttles{Scale: 0.1})
			return v.SetOdd(tebratest.OddityNames()...)
		},
		Ended: func(_ context.Context, r Run) {
			if r.Outcome.Code == codes.Panic {
				t.Errorf("%s panicked", r.Kind)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	return d
}

// play performs the edits of a practice's staff until staffLeave.
func play(t *testing.T, d *Demo, c *tebratest.Clinic) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for played := (time.Time{}); played.Before(staffLeave); {
		until := d.Clock.Now()
		if until.After(staffLeave) {
			until = staffLeave
		}
		c.Play(until.In(c.Location()), played, until)
		played = until
		select {
		case <-tick.C:
		case <-t.Context().Done():
			return
		}
	}
}

// look demands a day as a person does that looks at its board. The day may be over by this clock
// before the vendor has answered a demand of the schedule, which then expires.
func (d *Demo) look(t *testing.T, p DemoPractice, on civil.Date) {
	t.Helper()
	if _, err := d.Tools.Tasks.Enqueue(t.Context(), p.Tenant.String(), tasks.SyncSchedule{Practice: p.ID, From: on, To: on}, tasks.Interactive()); err != nil {
		t.Fatal(err)
	}
}

// hidden returns how many visits no board can show.
func hidden(odd map[string][]tebratest.Oddity) int {
	n := 0
	for _, all := range odd {
		if slices.ContainsFunc(all, tebratest.Oddity.Unreadable) {
			n++
		}
	}
	return n
}

// holds returns an error unless a board has every visit that can be read, and states at least how
// many it lacks. What an oddity changes in a visit may differ.
func holds(b practice.Board, visits []tebratest.Visit, odd map[string][]tebratest.Oddity) error {
	var faults []error
	for _, v := range visits {
		i := slices.IndexFunc(b.Rows, func(row practice.BoardRow) bool { return row.Appointment.Reveal() == v.ID })
		switch {
		case slices.ContainsFunc(odd[v.ID], tebratest.Oddity.Unreadable):
		case i < 0:
			faults = append(faults, fmt.Errorf("a visit with the oddities %v is missing", odd[v.ID]))
		case odd[v.ID] == nil && (!b.Rows[i].Start.Equal(v.Start) || b.Rows[i].Status != practice.ParseStatus(v.Status)):
			faults = append(faults, errors.New("a visit differs from the vendor's"))
		}
	}
	counted := 0
	for _, o := range b.Incomplete {
		counted += o.Rows
	}
	if lost := hidden(odd); counted < lost {
		faults = append(faults, fmt.Errorf("%d visits cannot be read, and the board states %v", lost, b.Incomplete))
	}
	return errors.Join(faults...)
}

// own returns an error if a board shows a visit of another practice.
func (d *Demo) own(p DemoPractice, b practice.Board) error {
	for _, row := range b.Rows {
		for _, other := range d.Practices {
			if _, err := other.Clinic.Appointment(row.Appointment.Reveal()); err == nil && other.Clinic != p.Clinic {
				return fmt.Errorf("a visit of %s", other.Name)
			}
		}
	}
	return nil
}

// alerts returns an error if the practice's alerts of a day count fewer lost rows than are hidden.
func (d *Demo) alerts(ctx context.Context, p DemoPractice, on civil.Date, hidden int) error {
	all, err := d.Tools.Ledger.Alerts(ctx, ledger.AlertFilter{Tenant: p.Tenant, Practice: p.ID})
	if err != nil {
		return err
	}
	rows := 0
	for _, a := range all {
		if a.Day == on && slices.Contains(lostRows, a.Code) {
			rows += a.Rows
		}
	}
	if rows < hidden {
		return fmt.Errorf("%s: alerts count %d lost rows, want at least %d", p.Name, rows, hidden)
	}
	return nil
}

// rowsOnPage returns how many rows the alarms of the operators' page count under the codes.
func rowsOnPage(t *testing.T, page string, of []codes.Code) int {
	t.Helper()
	rows := 0
	for _, alarm := range regexp.MustCompile(`Alerts (\w+): \d+, rows: (\d+)`).FindAllStringSubmatch(page, -1) {
		if slices.Contains(of, codes.Code(alarm[1])) {
			n, err := strconv.Atoi(alarm[2])
			if err != nil {
				t.Fatal(err)
			}
			rows += n
		}
	}
	return rows
}

// operatorsPage returns the page that an operator sees after a login.
func operatorsPage(t *testing.T, queue, ledger string) string {
	t.Helper()
	login, err := access.NewLogin("vic", access.Viewer, "vic looks at things")
	if err != nil {
		t.Fatal(err)
	}
	m, err := monitor.Open(t.Context(), monitor.Options{QueueURL: queue, LedgerURL: ledger, Logins: []access.Login{login}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(m.Handler())
	t.Cleanup(func() {
		m.Drain()
		srv.Close()
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	client := srv.Client()
	if client.Jar, err = cookiejar.New(nil); err != nil {
		t.Fatal(err)
	}
	form := strings.NewReader(url.Values{"name": {"vic"}, "password": {"vic looks at things"}}.Encode())
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, srv.URL+"/login", form)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	resp, err := client.Do(r) // follows the redirect to the page
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), `id="alerts"`) {
		t.Fatalf("%d %v %s", resp.StatusCode, err, body)
	}
	return string(body)
}
