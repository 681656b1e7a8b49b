package explain

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// kind describes the kinds of the tests.
func kind(name string) (operation string, attempts int) {
	if name == "patient.sync" {
		return "GetPatient", 7
	}
	return "", 0
}

// demand returns a demand of a kind that has a place in the vendor's budget.
func demand(name string, wait time.Duration) queue.Demand {
	return queue.Demand{
		Lane: queue.Sync, Digest: "abcdefghijklmnopqrstuvwxyz", Kind: name, Timeout: time.Minute, Booked: wait > 0, Wait: wait,
		Encode: func(string) ([]byte, map[string]string, error) {
			return []byte("sealed"), map[string]string{queue.HeaderTenant: "clinic-a"}, nil
		},
	}
}

func enqueue(t *testing.T, rdb redis.UniversalClient, d queue.Demand) queue.ID {
	t.Helper()
	r, err := queue.NewProducer(rdb).Enqueue(t.Context(), []queue.Demand{d})
	if err != nil {
		t.Fatal(err)
	}
	id, err := queue.ParseID(r[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// TestReadCountsPlaces checks how many calls have places before that of a task, and that a calendar
// that cannot be read hides nothing else.
func TestReadCountsPlaces(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	// 400 places, which are 262.5 ms apart while the margin is a tenth of the interval.
	begin := rdb.Time(t.Context()).Val()
	const all = 400 * 262500 * time.Microsecond
	rdb.HSet(t.Context(), "f1c:{clinic-a}:b:GetPatient", "8:1", fmt.Sprintf("%d:%d", begin.UnixMicro(), begin.Add(all).UnixMicro()))
	id := enqueue(t, rdb, demand("patient.sync", all))
	r := Reader{Redis: rdb, Kind: kind}
	s, err := r.Read(t.Context(), id)
	if err != nil || s.MaxAttempts != 7 || s.Operation != "GetPatient" || s.Pitch < 250*time.Millisecond || s.PlacesBefore < 340 || s.PlacesBefore > 401 {
		t.Errorf("%+v, %v", s, err)
	}
	rdb.Set(t.Context(), "f1c:{clinic-a}:b:GetPatient", "damaged", 0)
	s, err = r.Read(t.Context(), id)
	if err != nil || s.Pitch != 0 || len(s.Explain().Reasons) != 2 {
		t.Errorf("with a damaged calendar: %+v, %v", s, err)
	}
	other := demand("note.write", 0)
	other.Digest = "zbcdefghijklmnopqrstuvwxyz"
	if s, err := r.Read(t.Context(), enqueue(t, rdb, other)); err != nil || s.Operation != "" || s.Pitch != 0 || !s.Waits() {
		t.Errorf("of a kind that calls no vendor: %+v, %v", s, err)
	}
	other.Digest = "ybcdefghijklmnopqrstuvwxyz"
	if _, err := r.Read(t.Context(), queue.ID{Lane: queue.Sync, Digest: other.Digest, Generation: 1}); !errors.Is(err, queue.ErrNoTask) {
		t.Errorf("of no task: %v", err)
	}
	_ = rdb.Close()
	if _, err := r.Read(t.Context(), id); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

// TestReadBreakers checks that a breaker shows that the task's call needs, on Redis' clock, and no
// other one.
func TestReadBreakers(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := enqueue(t, rdb, demand("patient.sync", 0))
	r := Reader{Redis: rdb, Kind: kind}
	for _, scope := range []breaker.Name{{Tenant: "clinic-b", Scope: "GetPatient"}, {Tenant: "clinic-a", Scope: "GetProviders"}} {
		until := time.Now().Add(time.Hour)
		if _, err := scope.Force(t.Context(), rdb, breaker.Forced{Open: true, Until: until, By: "ann", Why: "ops-1"}); err != nil {
			t.Fatal(err)
		}
	}
	reasons := func() []Reason {
		t.Helper()
		s, err := r.Read(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return s.Explain().Reasons
	}
	if got := reasons(); len(got) != 1 || got[0].Code != codes.NoWorker {
		t.Errorf("with breakers of others: %+v", got)
	}
	opening := breaker.Opening{First: 20 * time.Second, Longest: 20 * time.Second, Reason: "unavailable", Evidence: "2 calls that had worked before"}
	if _, err := (breaker.Name{Scope: breaker.Host}).Open(t.Context(), rdb, 0, opening); err != nil {
		t.Fatal(err)
	}
	got := reasons()
	if len(got) != 2 || got[1].Code != codes.Breaker || !strings.Contains(got[1].Text, "unavailable: 2 calls that had worked before") {
		t.Fatalf("with the host's: %+v", got)
	}
	if left := got[1].Until.Sub(rdb.Time(t.Context()).Val()); left > 25*time.Second || left < 5*time.Second || got[1].Since.IsZero() {
		t.Errorf("it ends in %v: %+v", left, got[1])
	}
}
