package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// shownBoard is what a front end needs of a board.
type shownBoard struct {
	AsOf   time.Time  `json:"as_of"`
	Stale  bool       `json:"stale"`
	Reason codes.Code `json:"stale_reason"`
	Rows   []shownRow `json:"rows"`
}

type shownRow struct {
	Status practice.Status `json:"status"`
}

// front reads the first practice's board over and over, as a front end does.
type front struct {
	reads, cold, emptied, falselyFresh int
}

// watch reads until stop is called. Every board must have all rows.
func watch(t *testing.T, a *api, rows int) (stop func() front) {
	t.Helper()
	var f front
	done := make(chan struct{})
	var reading sync.WaitGroup
	reading.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
			}
			b, err := readBoard(a)
			switch f.reads++; {
			case errors.Is(err, practice.ErrCold):
				f.cold++
			case err != nil:
				t.Error(err)
				return
			case len(b.Rows) < rows:
				f.emptied++
				if !b.Stale {
					f.falselyFresh++
				}
			}
		}
	})
	return func() front {
		close(done)
		reading.Wait()
		return f
	}
}

// readBoard reads the first practice's board over HTTP, or returns ErrCold.
func readBoard(a *api) (b shownBoard, err error) {
	status, body := a.read("/v1/practices/1/board", "")
	if status == http.StatusServiceUnavailable {
		return b, practice.ErrCold
	}
	if status != http.StatusOK {
		return b, fmt.Errorf("%d %s", status, body)
	}
	return b, json.Unmarshal(body, &b)
}

// alerted returns the codes of the alerts about the first practice.
func (sys *system) alerted(t *testing.T, tools *Tools) []codes.Code {
	t.Helper()
	all, err := tools.Ledger.Alerts(t.Context(), ledger.AlertFilter{Practice: "1"})
	if err != nil {
		t.Fatal(err)
	}
	var out []codes.Code
	for _, a := range all {
		out = append(out, a.Code)
	}
	return out
}

// A practice is renamed, taken from the login, or mistyped in the settings, while workers sync it
// and front ends read it: no board loses a row, and none without its rows is called fresh. One sync
// heals a name; everything else is an alert, and the reason why the board is stale.
func TestNoBoardIsEmptiedByAWrongQuestion(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change   func(c *tebratest.Clinic)
		odd      []tebratest.Oddity
		settings string // the name in the settings; "" for the right one
		code     codes.Code
		heals    bool
	}{
		"renamed":                  {change: func(c *tebratest.Clinic) { c.Rename("Lake Clinic") }, code: codes.PracticeRenamed, heals: true},
		"renamed, substrings":      {change: func(c *tebratest.Clinic) { c.Rename("Lake Clinic") }, odd: []tebratest.Oddity{tebratest.OddNameSubstring, tebratest.OddForeignRow, tebratest.OddNoAuthorizations}, code: codes.PracticeRenamed, heals: true},
		"not authorized":           {change: func(c *tebratest.Clinic) { c.SetAccess(tebratest.Access{Unauthorized: true}) }, code: codes.PracticeDenied},
		"refused":                  {change: func(c *tebratest.Clinic) { c.SetAccess(tebratest.Access{Refused: true}) }, code: codes.PracticeDenied},
		"not listed":               {change: func(c *tebratest.Clinic) { c.SetAccess(tebratest.Access{Unlisted: true, Unauthorized: true}) }, code: codes.PracticeNotListed},
		"mistyped in the settings": {settings: "Frist Practice", code: codes.PracticeRenamed, heals: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			sys := build(t, func(c *tebratest.Config) { c.Odd = tt.odd })
			if tt.settings != "" {
				sys.settings.Tenants[0].Practices[0].Name = tt.settings
			}
			tools := sys.tools(t)
			sys.work(t)
			a, _ := sys.serve(t, func(o *GatewayOptions) { o.Limits.ColdWait, o.Limits.Rate = 50*time.Millisecond, 1000 })
			stop := watch(t, a, 6)
			if tt.change != nil {
				sys.demand(t, tools)
				sys.board(t, tools, full(6))
				tt.change(sys.clinic())
			}
			if visits := sys.clinic().Appointments(sys.today()); sys.clinic().SetStatus(visits[2].ID, tebratest.Roomed) != nil {
				t.Error("the visit is not at the vendor")
			}
			changed := time.Now()
			sys.ends(t, tools, sys.demand(t, tools).ID, tasks.StateDone)
			eventually(t, func() error {
				b, err := readBoard(a)
				roomed := slices.Contains(b.Rows, shownRow{practice.Roomed})
				switch {
				case err != nil:
					return err
				case tt.heals && (b.Stale || !b.AsOf.After(changed) || !roomed):
					return fmt.Errorf("stale %t, as of %v, roomed %t", b.Stale, b.AsOf, roomed)
				case !tt.heals && (!b.Stale || b.Reason != tt.code):
					return fmt.Errorf("stale %t because of %q", b.Stale, string(b.Reason))
				}
				return nil
			})
			took := time.Since(changed)
			for range 3 {
				sys.ends(t, tools, sys.demand(t, tools).ID, tasks.StateDone)
			}
			if got := sys.alerted(t, tools); !slices.Contains(got, tt.code) {
				t.Errorf("alerts %q", got)
			}
			f := stop()
			t.Logf("%d reads, %d cold: %d boards emptied, %d called fresh without their rows; right after %v", f.reads, f.cold, f.emptied, f.falselyFresh, took)
			if f.reads == 0 || f.emptied > 0 || f.falselyFresh > 0 || tt.change != nil && f.cold == f.reads {
				t.Errorf("%+v", f)
			}
		})
	}
}
