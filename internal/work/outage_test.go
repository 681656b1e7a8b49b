package work

import (
	"context"
	"testing"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// oneOfEach are arguments of every kind.
var oneOfEach = map[string]tasks.Args{
	"schedule.sync":     tasks.SyncSchedule{Practice: "7", From: monday, To: tuesday},
	"patient.sync":      tasks.SyncPatient{Practice: "7", Patient: "1001"},
	"patients.sync":     tasks.SyncPatients{Practice: "7"},
	"appointment.sync":  tasks.SyncAppointment{Practice: "7", Appointment: "900001"},
	"locations.sync":    tasks.SyncLocations{Practice: "7"},
	"directory.sync":    tasks.SyncDirectory{Practice: "7"},
	"view.warm":         tasks.WarmView{View: tasks.DayBoard, Practice: "7", Date: monday},
	"entity.invalidate": tasks.InvalidateEntity{Practice: "7", Noun: tasks.NounPatient, ID: "1001"},
	"patients.sweep":    tasks.SweepPatients{Practice: "7"},
	"practices.sync":    tasks.SyncPractices{},
	"throttles.sync":    tasks.SyncThrottles{},
}

// Without the cache, a run of every kind that uses it is postponed because of that, and no attempt
// counts. A kind that only reads a full or read-only cache may succeed.
func TestEveryKindWaitsForTheCache(t *testing.T) {
	t.Parallel()
	server := func(directives ...string) func(*testing.T) string {
		return func(t *testing.T) string {
			p := redistest.NewPrivate(t, directives...)
			p.Start(t)
			return p.URL()
		}
	}
	for name, state := range map[string]struct {
		url  func(*testing.T) string
		kind outage.Kind
		free []string // the kinds that may succeed
	}{
		"down":      {func(*testing.T) string { return "redis://127.0.0.1:1" }, outage.Unavailable, []string{"throttles.sync"}},
		"full":      {server("--maxmemory", "1"), outage.Full, []string{"throttles.sync", "view.warm"}},
		"read-only": {server("--replicaof", "127.0.0.1 1"), outage.ReadOnly, []string{"throttles.sync", "view.warm"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.without(t, state.url(t))
			free := map[string]bool{}
			for _, kind := range state.free {
				free[kind] = true
			}
			for _, kind := range tasks.Kinds() {
				args := oneOfEach[kind.Name]
				if args == nil {
					t.Errorf("%s has no arguments in this test", kind.Name)
					continue
				}
				code := outage.New(outage.Cache, state.kind, false, nil).Code()
				got := b.run(t, args)
				if !(got.State == tasks.OutcomeLater && got.Code == code) && !(got.State == tasks.OutcomeDone && free[kind.Name]) {
					t.Errorf("%s ends as %s %s", kind.Name, got.State, string(got.Code))
				}
			}
		})
	}
}

// without gives the workers the cache at a URL.
func (b *bundle) without(t *testing.T, url string) {
	t.Helper()
	keys, err := phi.Parse(b.keys)
	must(t, err)
	data, err := phi.NewDataKey()
	must(t, err)
	rdb, err := redisconn.Dial(url, redisconn.Options{Role: redisconn.RoleCache})
	must(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	c, err := cache.New(cache.Options{
		Redis: rdb, Sealer: keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
	})
	must(t, err)
	b.Store = practice.NewStore(c, keys)
	b.router, err = tasks.NewRouter(tasks.RouterOptions{Keys: b.keys})
	must(t, err)
	must(t, Register(b.router, b.Deps))
}
