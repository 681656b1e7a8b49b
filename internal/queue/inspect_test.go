package queue

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestOutcome(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	runs, id := NewRuns(rdb), ID{Lane: Sync, Digest: digest("a"), Generation: 5}
	if _, err := runs.Outcome(t.Context(), id); !errors.Is(err, ErrNoOutcome) {
		t.Errorf("before it ended: %v", err)
	}
	want := Outcome{State: "dead", Code: "denied", Tenant: "clinic-a", Kind: "patient.sync", Attempts: 3, FinishedAt: time.Now().UTC().Round(0)}
	must(t, runs.Finish(t.Context(), id, want))
	if got, err := runs.Outcome(t.Context(), id); err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if ttl := rdb.TTL(t.Context(), "q2:{sync}:o:"+id.String()).Val(); ttl < 59*time.Minute || ttl > outcomeLife {
		t.Errorf("kept for %v", ttl)
	}
	rdb.Set(t.Context(), id.outcomeKey(), "{", 0)
	if _, err := runs.Outcome(t.Context(), id); err == nil || errors.Is(err, ErrNoOutcome) {
		t.Errorf("malformed: %v", err)
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := ID{Lane: Sync, Digest: digest("a"), Generation: 5}
	if _, err := Find(t.Context(), rdb, id); !errors.Is(err, ErrNoTask) {
		t.Errorf("unknown queue: %v", err)
	}
	waiting := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "b")).ID)
	if _, err := Find(t.Context(), rdb, id); !errors.Is(err, ErrNoTask) {
		t.Errorf("unknown task: %v", err)
	}
	if info, err := Find(t.Context(), rdb, waiting); err != nil || info.State != StatePending || info.Tenant != "clinic-a" {
		t.Errorf("%+v, %v", info, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Find(ctx, rdb, waiting); !errors.Is(err, context.Canceled) {
		t.Errorf("on a canceled context: %v", err)
	}
	_ = rdb.Close()
	if _, err := Find(t.Context(), rdb, waiting); !errors.Is(err, redisconn.ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}
