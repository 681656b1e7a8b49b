package work

import (
	"context"
	"slices"
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

// oneOfEach are arguments of every kind, and the states of the cache in which its run may succeed:
// it does not use the cache, or only reads.
var oneOfEach = map[string]struct {
	args     tasks.Args
	succeeds []string
}{
	"schedule.sync":     {tasks.SyncSchedule{Practice: "7", From: monday, To: tuesday}, nil},
	"patient.sync":      {tasks.SyncPatient{Practice: "7", Patient: "1001"}, nil},
	"patients.sync":     {tasks.SyncPatients{Practice: "7"}, nil},
	"appointment.sync":  {tasks.SyncAppointment{Practice: "7", Appointment: "900001"}, nil},
	"locations.sync":    {tasks.SyncLocations{Practice: "7"}, nil},
	"directory.sync":    {tasks.SyncDirectory{Practice: "7"}, nil},
	"view.warm":         {tasks.WarmView{View: tasks.DayBoard, Practice: "7", Date: monday}, []string{"full", "read-only"}},
	"entity.invalidate": {tasks.InvalidateEntity{Practice: "7", Noun: tasks.NounPatient, ID: "1001"}, nil},
	"patients.sweep":    {tasks.SweepPatients{Practice: "7"}, nil},
	"practices.sync":    {tasks.SyncPractices{}, nil},
	"throttles.sync":    {tasks.SyncThrottles{}, []string{"down", "full", "read-only"}},
}

// Without the cache, a run of every kind that needs it is postponed because of that, and no attempt
// counts.
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
	}{
		"down":      {func(*testing.T) string { return "redis://127.0.0.1:1" }, outage.Unavailable},
		"full":      {server("--maxmemory", "1"), outage.Full},
		"read-only": {server("--replicaof", "127.0.0.1 1"), outage.ReadOnly},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.without(t, state.url(t))
			for _, kind := range tasks.Kinds() {
				one, ok := oneOfEach[kind.Name]
				if !ok {
					t.Errorf("%s has no arguments in this test", kind.Name)
					continue
				}
				code := outage.New(outage.Cache, state.kind, false, nil).Code()
				got := b.run(t, one.args)
				if !(got.State == tasks.OutcomeLater && got.Code == code) && !(got.State == tasks.OutcomeDone && slices.Contains(one.succeeds, name)) {
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
