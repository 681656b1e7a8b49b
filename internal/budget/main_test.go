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
	clinic    = tenant.ID("clinic-a")
	interval  = 100 * time.Millisecond // with the tests' margin of 40 ms, slots are 140 ms apart
	micros140 = 140_000
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

// send asks for the permission to send.
func send(t testing.TB, p *Pace, op Operation, s *Slot) {
	t.Helper()
	if err := p.Send(t.Context(), op, s); err != nil {
		t.Fatal(err)
	}
}

// sendNow waits for the slot and asks until the call may be sent. On a busy machine it may be too
// late for that, and asks again.
func sendNow(t testing.TB, p *Pace, op Operation, s *Slot) {
	t.Helper()
	for range 100 {
		waitUntil(t, s.Begin().Add(-Early))
		send(t, p, op, s)
		if s.Decision == Granted {
			waitUntil(t, s.Begin())
			if p.Confirm(t.Context(), op, s) {
				return
			}
		}
	}
	t.Fatalf("never sent: %+v", s)
}

func waitUntil(t testing.TB, at time.Time) {
	t.Helper()
	timer := time.NewTimer(time.Until(at))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	for name, o := range map[string]Options{
		"no redis":         {},
		"negative wait":    {Redis: rdb, MaxWait: -1},
		"negative margin":  {Redis: rdb, MinMargin: -1},
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
		Redis: rdb, MaxWait: 2 * time.Second, MinMargin: 10 * time.Millisecond,
		Horizon: 24 * time.Hour,
	}
	if p.o != want {
		t.Errorf("defaults: %+v", p.o)
	}
}
