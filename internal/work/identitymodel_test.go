package work

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

// worker is one of several processes, with the account as it last read it.
type worker struct {
	Deps
	known *account.Account
}

func newWorker(t *testing.T, b *bundle) *worker {
	t.Helper()
	w := &worker{Deps: b.Deps}
	w.Account = func(context.Context, tenant.ID) (*account.Account, error) { return w.known, nil }
	w.Reload = func(ctx context.Context, id tenant.ID) (*account.Account, error) {
		row, err := b.Ledger.Tenant(ctx, id)
		if err == nil {
			w.known = &account.Account{Vendor: w.known.Vendor, TimeZone: row.TimeZone, Practices: row.Practices}
		}
		return w.known, err
	}
	var err error
	w.known, err = b.Account(t.Context(), clinicA)
	must(t, err)
	_, err = w.Reload(t.Context(), clinicA)
	must(t, err)
	return w
}

// However a practice is renamed, taken away and restored, in whatever order workers with old and
// new names ask for its lists and its identity, and whatever ends before its demands are enqueued
// or is lost with the cache: no visit vanishes, and at the end one reading under the right name
// makes everything fresh.
func TestNothingVanishesInAnyOrder(t *testing.T) {
	t.Parallel()
	shared := lakesides(t)
	executions := 0
	rapid.Check(t, func(r *rapid.T) {
		executions++
		b := *shared
		b.Store = shared.store(t)
		settings := []ledger.Tenant{{
			ID: clinicA, TimeZone: "America/Chicago", Credentials: []byte("sealed"), Practices: []ledger.Practice{{ID: "7", Name: "Seventh Practice"}},
		}}
		restart := func(name string) {
			settings[0].Practices[0].Name = name
			_, err := b.Ledger.ApplyTenants(t.Context(), settings)
			must(t, err)
		}
		b.clinic.Rename("Seventh Practice")
		b.clinic.SetAccess(tebratest.Access{})
		restart("Nowhere")
		restart("Seventh Practice") // and forget what was adopted
		workers := []*worker{newWorker(t, &b), newWorker(t, &b)}
		names := []string{"Seventh Practice"} // the vendor's, of which the last is the present one
		on := func(do func(w *worker) taskstest.Result) func(*rapid.T) {
			return func(r *rapid.T) { do(workers[rapid.IntRange(0, 1).Draw(r, "worker")]) }
		}
		steps := map[string]func(*rapid.T){
			"sync": on(func(w *worker) taskstest.Result {
				return taskstest.Work(t, tasks.WorkerFunc[tasks.SyncSchedule](w.syncSchedule), days(monday, monday.Add(rapid.IntRange(0, 2).Draw(r, "days"))))
			}),
			"check": on(func(w *worker) taskstest.Result {
				return taskstest.Work(t, tasks.WorkerFunc[tasks.SyncPractices](w.syncPractices), tasks.SyncPractices{})
			}),
			"rename": func(*rapid.T) { // never back, which would look like a name that did not change
				names = append(names, fmt.Sprintf("Lake Clinic %d", len(names)))
				b.clinic.Rename(names[len(names)-1])
			},
			"restart": func(r *rapid.T) { restart(rapid.SampledFrom(append(names, "Lakside")).Draw(r, "settings")) },
			"access": func(r *rapid.T) {
				b.clinic.SetAccess(rapid.SampledFrom([]tebratest.Access{
					{}, {Unauthorized: true}, {Unlisted: true, Unauthorized: true}, {Refused: true},
				}).Draw(r, "access"))
			},
			"lose the cache": func(r *rapid.T) {
				if rapid.IntRange(0, 4).Draw(r, "whether") == 0 {
					b.Store = shared.store(t)
					for _, w := range workers {
						w.Store = b.Store
					}
				}
			},
			"": func(r *rapid.T) {
				board, err := b.Store.Board(t.Context(), clinicA, "7", monday)
				if !errors.Is(err, practice.ErrCold) && (err != nil || len(board.Board.Rows) != 10) {
					r.Fatalf("%d rows are left, stale %t, %v", len(board.Board.Rows), board.Stale, err)
				}
			},
		}
		r.Repeat(steps)

		b.clinic.SetAccess(tebratest.Access{})
		for range 2 { // one run may find what another one left in doubt
			steps["check"](r)
			steps["sync"](r)
		}
		if board, err := b.Store.Board(t.Context(), clinicA, "7", monday); err != nil || len(board.Board.Rows) != 10 || board.Stale {
			r.Fatalf("in the end %d rows, stale %t, %v", len(board.Board.Rows), board.Stale, err)
		}
	})
	t.Logf("%d executions, 0 visits lost", executions)
}
