package budget

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const (
	clinic   = tenant.ID("clinic-a")
	interval = 100 * time.Millisecond // with the tests' margin of 40 ms, slots are 140 ms apart
)

var background, interactive = Demand{}, Demand{Interactive: true}

// onBothServers runs a test on redis-server and on the embedded one, because the scripts must do
// the same on both.
func onBothServers(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, redistest.New(t)) })
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, redistest.Mini(t)) })
}

func newPace(t *testing.T, rdb redis.UniversalClient, change ...func(*Options)) *Pace {
	t.Helper()
	o := Options{Redis: rdb, MinMargin: 40 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	p, err := NewPace(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func getPatient(interval time.Duration) Operation {
	return Operation{Tenant: clinic, Name: "GetPatient", Interval: interval}
}

// acquire asks for a slot that may be as far away as the options allow.
func acquire(t testing.TB, p *Pace, op Operation, d Demand) Slot {
	t.Helper()
	d.Limit, d.Slowdown = p.o.MaxWait, 1
	s, err := p.Acquire(t.Context(), op, d)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOptions(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	for name, o := range map[string]Options{
		"no redis":         {},
		"negative wait":    {Redis: rdb, MaxWait: -1},
		"negative margin":  {Redis: rdb, MinMargin: -1},
		"negative memory":  {Redis: rdb, InteractiveMemory: -1},
		"negative horizon": {Redis: rdb, Horizon: -1},
	} {
		if _, err := NewPace(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	p, err := NewPace(Options{Redis: rdb})
	if err != nil {
		t.Fatal(err)
	}
	want := Options{
		Redis: rdb, MaxWait: 2 * time.Second, MinMargin: 25 * time.Millisecond, InteractiveMemory: 5 * time.Second,
		Horizon: 24 * time.Hour,
	}
	if p.o != want {
		t.Errorf("defaults: %+v", p.o)
	}
}
