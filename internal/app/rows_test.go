package app

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// entry is what a test compares of a row of a board.
type entry struct {
	Appointment string    `json:"appointment"`
	Patient     string    `json:"patient"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Type        string    `json:"type"`
	AllDay      bool      `json:"all_day"`
	Minutes     int       `json:"duration_minutes"`
	Status      string    `json:"status"`
	Reason      string    `json:"reason"`
	Ref         string    `json:"ref"`
}

func (e entry) String() string {
	return fmt.Sprintf("%s of %q %s-%s (%d min) %s all day %v %s", e.Appointment, e.Patient, e.Start.UTC().Format("02T15:04"),
		e.End.UTC().Format("02T15:04"), e.Minutes, e.Type, e.AllDay, e.Status)
}

// rowBoard is a board as the gateway sends it.
type rowBoard struct {
	Stale      bool              `json:"stale"`
	Missing    int               `json:"missing"`
	Visits     int               `json:"visits"`
	Rows       []entry           `json:"rows"`
	Incomplete []json.RawMessage `json:"incomplete"`
}

// rowDays is a system whose vendor has odd rows on a few days from today on.
type rowDays struct {
	*system
	api   *api
	tools *Tools
	first time.Time // noon of the first day
	last  int
}

func newRowDays(t *testing.T, odd ...tebratest.Oddity) *rowDays {
	t.Helper()
	sys := build(t, func(c *tebratest.Config) { c.Odd = odd })
	d := &rowDays{system: sys, tools: sys.tools(t), last: 5}
	now := sys.today()
	d.first = time.Date(now.Year(), now.Month(), now.Day()+1, 12, 0, 0, 0, now.Location())
	sys.work(t)
	d.api, _ = sys.serve(t, func(o *GatewayOptions) { o.Limits.ColdWait = 30 * time.Second })
	return d
}

// at is an hour of the n-th day.
func (d *rowDays) at(n, hour int) time.Time {
	return time.Date(d.first.Year(), d.first.Month(), d.first.Day()+n, hour, 0, 0, 0, d.first.Location())
}

func (d *rowDays) date(n int) civil.Date { return civil.DateOf(d.at(n, 12)) }

func (d *rowDays) sync(t *testing.T, from, to int) {
	t.Helper()
	if _, err := d.tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: d.date(from), To: d.date(to)}); err != nil {
		t.Fatal(err)
	}
}

// want lists what the n-th day's board must show: the entries that the vendor has on it, and equal
// ones once.
func (d *rowDays) want(n int) []string {
	var out []string
	for earlier := n - 6; earlier <= n; earlier++ {
		for _, v := range d.clinic().Appointments(d.at(earlier, 12)) {
			if earlier < n && !v.End.After(d.at(n, 0)) {
				continue
			}
			e := entry{
				Appointment: v.ID, Patient: v.PatientID, Start: v.Start, End: v.End, AllDay: v.AllDay,
				Minutes: int(v.End.Sub(v.Start).Minutes()), Type: "patient", Status: string(practice.ParseStatus(v.Status)),
			}
			switch {
			case v.PatientID == "" && v.Type == "O":
				e.Type = "other"
			case v.PatientID == "":
				e.Type = "unknown"
			}
			out = append(out, e.String())
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// shows returns an error if the n-th day's board differs from what the vendor has.
func (d *rowDays) shows(t *testing.T, n int) error {
	t.Helper()
	status, body := d.api.read("/v1/practices/1/board?date="+d.date(n).String(), "")
	if status != http.StatusOK {
		return fmt.Errorf("day %d: status %d", n, status)
	}
	var b rowBoard
	if err := json.Unmarshal(body, &b); err != nil {
		return err
	}
	var got []string
	refs, visits := map[string]bool{}, 0
	for _, row := range b.Rows {
		got, refs[row.Ref] = append(got, row.String()), true
		if row.Type == "patient" {
			visits++
		}
	}
	slices.Sort(got)
	want := d.want(n)
	if b.Stale || b.Missing > 0 || len(b.Incomplete) > 0 || len(refs) != len(b.Rows) || visits != b.Visits || !slices.Equal(got, want) {
		return fmt.Errorf("day %d: stale %v, %d missing, %d refs\n%s\nwant:\n%s", n, b.Stale, b.Missing, len(refs), strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	return nil
}

// oddKind is a way in which rows differ from one visit of one day.
type oddKind struct {
	// enter adds the rows, and change changes them and returns the day that is read after that.
	enter  func(d *rowDays)
	change func(t *testing.T, d *rowDays) (read int)
}

func (d *rowDays) visit(n, hour int, patient string) tebratest.Visit {
	return tebratest.Visit{Start: d.at(n, hour), End: d.at(n, hour).Add(45 * time.Minute), PatientID: patient, Patient: "Row Name" + patient}
}

// again enters further rows of the first.
func (d *rowDays) again(first tebratest.Visit, others ...tebratest.Visit) {
	first.ID = d.clinic().Enter(first)
	for _, v := range others {
		v.ID = first.ID
		d.clinic().Enter(v)
	}
}

// withdraw removes the rows of the shared ID that are selected.
func (d *rowDays) withdraw(t *testing.T, selected func(tebratest.Visit) bool) {
	t.Helper()
	for n := range d.last {
		for _, v := range d.clinic().Appointments(d.at(n, 12)) {
			if selected(v) {
				if err := d.clinic().Withdraw(v.ID, selected); err != nil {
					t.Fatal(err)
				}
				return
			}
		}
	}
	t.Fatal("there is nothing to withdraw")
}

func blocked(v tebratest.Visit) bool { return v.PatientID == "" }

var oddKinds = map[string]oddKind{
	"a series with one ID": {
		enter: func(d *rowDays) { d.again(d.visit(0, 20, "11"), d.visit(1, 20, "11"), d.visit(2, 20, "11")) },
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			d.withdraw(t, func(v tebratest.Visit) bool { return v.Start.Equal(d.at(1, 20)) })
			return 1
		},
	},
	"a group with one ID": {
		enter: func(d *rowDays) { d.again(d.visit(1, 20, "11"), d.visit(1, 20, "12"), d.visit(1, 20, "13")) },
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			d.withdraw(t, func(v tebratest.Visit) bool { return v.PatientID == "12" && v.Start.Equal(d.at(1, 20)) })
			return 1
		},
	},
	"rows that differ in their status": {
		enter: func(d *rowDays) {
			other := d.visit(1, 20, "11")
			other.Status = tebratest.NoShow
			d.again(d.visit(1, 20, "11"), other)
		},
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			d.withdraw(t, func(v tebratest.Visit) bool { return v.Status == tebratest.NoShow })
			return 1
		},
	},
	"equal rows": {
		enter: func(d *rowDays) { d.again(d.visit(1, 20, "11"), d.visit(1, 20, "11")) },
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			d.withdraw(t, func(v tebratest.Visit) bool { return v.Start.Equal(d.at(1, 20)) })
			return 1
		},
	},
	"a block of five days": {
		enter: func(d *rowDays) {
			d.clinic().Enter(tebratest.Visit{Start: d.at(0, 8), End: d.at(4, 17), Type: "O", Notes: "Out of office"})
		},
		change: func(t *testing.T, d *rowDays) int { t.Helper(); d.withdraw(t, blocked); return 2 },
	},
	"an entry of all day": {
		enter: func(d *rowDays) {
			d.clinic().Enter(tebratest.Visit{Start: d.at(1, 0), End: d.at(2, 0), Type: "O", AllDay: true})
		},
		change: func(t *testing.T, d *rowDays) int { t.Helper(); d.withdraw(t, blocked); return 1 },
	},
	"a visit over night": {
		enter: func(d *rowDays) {
			v := d.visit(1, 22, "11")
			v.End = d.at(2, 2)
			d.clinic().Enter(v)
		},
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			d.withdraw(t, func(v tebratest.Visit) bool { return v.Start.Equal(d.at(1, 22)) })
			return 2
		},
	},
	"types of every kind": {
		enter: func(d *rowDays) {
			for i, kind := range []string{"P", "O", "U", "U"} {
				v := d.visit(1, 18+i, map[int]string{0: "11", 3: "12"}[i])
				if v.Type = kind; v.PatientID == "" {
					v.Patient = ""
				}
				d.clinic().Enter(v)
			}
		},
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			d.withdraw(t, func(v tebratest.Visit) bool { return v.Type == "O" })
			return 1
		},
	},
	"a visit that moves": {
		enter: func(d *rowDays) { d.clinic().Enter(d.visit(1, 20, "11")) },
		change: func(t *testing.T, d *rowDays) int {
			t.Helper()
			for _, v := range d.clinic().Appointments(d.at(1, 12)) {
				if v.Start.Equal(d.at(1, 20)) {
					if err := d.clinic().Move(v.ID, d.at(3, 20)); err != nil {
						t.Fatal(err)
					}
				}
			}
			return 3
		},
	},
}

// Every row of the vendor's answer is on the boards of its days, whichever day is read first, by
// start or by overlap; and after a change, reading one of its days leaves no ghost on any.
func TestEveryKindOfRowIsOnItsBoards(t *testing.T) {
	t.Parallel()
	t.Logf("%d kinds, each by start and by overlap", len(oddKinds))
	for name, kind := range oddKinds {
		for _, odd := range [][]tebratest.Oddity{nil, {tebratest.OddOverlap}} {
			t.Run(fmt.Sprintf("%s %v", name, odd), func(t *testing.T) {
				t.Parallel()
				d := newRowDays(t, odd...)
				kind.enter(d)
				order := []int{3, 1, 4, 0, 2}
				for _, n := range order {
					_ = d.shows(t, n) // days in doubt are read again
				}
				for _, n := range order {
					eventually(t, func() error { return d.shows(t, n) })
				}
				read := kind.change(t, d)
				d.sync(t, read, read)
				for _, n := range order {
					eventually(t, func() error { return d.shows(t, n) })
				}
			})
		}
	}
}
