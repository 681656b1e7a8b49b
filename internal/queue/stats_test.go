package queue

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// since is a demand with the time at which it was made.
func since(lane, char string, at time.Time) Demand {
	d := demand(lane, char)
	d.Encode = func(id string) ([]byte, map[string]string, error) {
		return []byte("sealed for " + id), map[string]string{HeaderEnqueuedAt: at.Format(time.RFC3339Nano)}, nil
	}
	return d
}

func TestStatsShowReasonsAndAges(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	if got, err := Stats(t.Context(), rdb); err != nil || len(got) != len(lanes) || got[0].Lane != Interactive || got[0].Pending != 0 {
		t.Fatalf("of an empty Redis: %+v, %v", got, err)
	}
	p := NewProducer(rdb)
	old, older := time.Now().UTC().Add(-time.Hour), time.Now().UTC().Add(-2*time.Hour)
	// A task that was tried and runs again in an hour.
	enqueue(t, p, since(Sync, "c", older))
	srv := serve(t, ServerOptions{Redis: rdb, Handler: handler{process: func(context.Context, *asynq.Task) error { return errFailed }}})
	eventually(t, "the task has been tried", func() bool { return rdb.ZCard(t.Context(), asynqKey(Sync, suffixRetry)).Val() == 1 })
	must(t, srv.Stop(t.Context()))
	enqueue(t, p, since(Sync, "a", old))
	enqueue(t, p, demand(Sync, "b")) // without a time
	later := demand(Warm, "d")
	later.At = time.Now().Add(time.Hour)
	enqueue(t, p, later)
	inspector := asynq.NewInspectorFromRedisClient(rdb)
	must(t, inspector.PauseQueue(Warm))
	dead := parse(t, enqueue(t, p, demand(Push, "e")).ID)
	must(t, inspector.ArchiveTask(Push, dead.String()))

	got, err := Stats(t.Context(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	if next := &got[2].Waits[1].Next; time.Until(*next) < 50*time.Minute {
		t.Errorf("the failed task runs again at %v", *next)
	} else {
		*next = time.Time{}
	}
	for i := range got {
		waits := got[i].Scheduled+got[i].Retry > 0
		if waits == got[i].NextDue.IsZero() || got[i].Paused == got[i].PausedAt.IsZero() || time.Since(got[i].PausedAt) < 0 {
			t.Errorf("next due and paused since: %+v", got[i])
		}
		got[i].NextDue, got[i].PausedAt = time.Time{}, time.Time{}
	}
	want := []LaneStats{
		{Lane: Interactive},
		{Lane: Push, Archived: 1},
		{
			Lane: Sync, Pending: 2, Retry: 1, Processed: 1, Failed: 1, ProcessedTotal: 1, Oldest: older, Sampled: 3, Waits: []Wait{
				{Kind: "test.run", Tasks: 2}, {Kind: "test.run", Code: "failed", Tasks: 1},
			},
		},
		{Lane: Warm, Paused: true, Scheduled: 1},
		{Lane: Quarantine},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	_ = rdb.Close()
	if _, err := Stats(t.Context(), rdb); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

// TestStatsSampleIsBounded checks that only the next tasks of a long lane are read.
func TestStatsSampleIsBounded(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	demands := make([]Demand, sampleSize+20)
	for i := range demands {
		demands[i] = since(Sync, "a", time.Now())
		n := strconv.FormatInt(int64(1000+i), 8)
		demands[i].Digest = strings.Repeat("a", digestLen-4) + strings.Map(func(r rune) rune { return 'a' + r - '0' }, n)[:4]
	}
	if _, err := NewProducer(rdb).Enqueue(t.Context(), demands); err != nil {
		t.Fatal(err)
	}
	got, err := Stats(t.Context(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	if s := got[2]; s.Pending != int64(len(demands)) || s.Sampled != sampleSize || len(s.Waits) != 1 || s.Waits[0].Tasks != sampleSize {
		t.Errorf("%+v", s)
	}
}

func TestCodeOf(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]codes.Code{
		"": "", "breaker": "breaker", "vendor_throttled": "vendor_throttled",
		asynq.ErrLeaseExpired.Error():       "lease_expired",
		context.DeadlineExceeded.Error():    "timeout",
		context.Canceled.Error():            "canceled",
		ErrDraining.Error():                 codes.Draining,
		"no patient 4711":                   codes.Hidden,
		"Smith":                             codes.Hidden,
		"patient4711":                       codes.Hidden,
		strings.Repeat("a", 49):             codes.Hidden,
		"<script>alert(1)</script>":         codes.Hidden,
		"dial tcp 10.0.0.1:6379: i/o timed": codes.Hidden,
	} {
		if got := CodeOf(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
