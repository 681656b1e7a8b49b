package monitor

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/status"
)

// makeBusy fills the site with the data of a day on which several things are wrong.
func (s *testSite) makeBusy(t testing.TB) {
	t.Helper()
	s.enqueue(t, "sync", "a", time.Now().Add(-90*time.Minute))
	s.run(t, "sync", errors.New("blocked"))
	for _, char := range []string{"b", "c", "d"} {
		s.enqueue(t, "sync", char, time.Now().Add(-time.Minute))
	}
	s.enqueue(t, "interactive", "e", time.Now().Add(-2*time.Second))
	s.failPending(t, "interactive", "denied")
	s.enqueue(t, "warm", "f", time.Now().Add(-3*time.Minute))
	if err := s.rdb.Set(t.Context(), "asynq:{warm}:paused", time.Now().Unix(), 0).Err(); err != nil {
		t.Fatal(err)
	}
	for i, code := range []string{"denied", "denied", "does_not_open"} {
		s.bury(t, "interactive-"+strings.Repeat("abc"[i:i+1], 26)+"-7", code)
	}
	s.idle(t)
	s.writeStatus(t, status.Document{
		Budgets: []status.Budget{
			{Tenant: "clinic-a", Operation: "GetAppointments", Spacing: 1200 * time.Millisecond, Next: 4 * time.Second, Blocked: 4 * time.Second, Backlog: 12 * time.Minute, Used: 0.834, Turn: "held"},
			{Tenant: "clinic-a", Operation: "GetPatient", Spacing: 300 * time.Millisecond, Turn: "next"},
		},
		Breakers: []status.Breaker{
			{Scope: "host", State: "closed"},
			{Scope: "credential", Tenant: "clinic-b", State: "open", Wait: 4 * time.Minute, Opens: 2, Reason: "unauthenticated"},
			{Scope: "read_list", Tenant: "clinic-a", State: "ramp", Opens: 1, Reason: "unavailable"},
		},
		Freshness: []status.Freshness{
			{Tenant: "clinic-a", Practice: "7", Open: true, Known: true, Age: 70 * time.Second},
			{Tenant: "clinic-a", Practice: "8", Known: true, Age: 14 * time.Hour},
			{Tenant: "clinic-b", Practice: "9", Open: true, Known: true, Age: 47 * time.Minute},
			{Tenant: "clinic-b", Practice: "10", Open: true},
		},
		Attempts: map[string]int{"schedule.sync": 10},
	})
}

// idle starts a worker of 40 slots that serves an empty lane.
func (s *testSite) idle(t testing.TB) {
	t.Helper()
	srv := asynq.NewServerFromRedisClient(s.rdb, asynq.Config{Concurrency: 40, Queues: map[string]int{"quarantine": 1}, LogLevel: asynq.FatalLevel})
	if err := srv.Start(asynq.HandlerFunc(func(context.Context, *asynq.Task) error { return nil })); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(srv.Shutdown)
	s.eventually(t, "its heartbeat", func() bool {
		found, err := queue.Workers(t.Context(), s.rdb)
		return err == nil && len(found) == 1 && found[0].Slots == 40
	})
}

// writeStatus writes a status document as a scheduler does.
func (s *testSite) writeStatus(t testing.TB, d status.Document) {
	t.Helper()
	d.At = time.Now()
	if err := status.Write(t.Context(), s.rdb, d); err != nil {
		t.Fatal(err)
	}
}

// bury adds a dead letter to the ledger.
func (s *testSite) bury(t testing.TB, id, code string) {
	t.Helper()
	err := s.ledger.Bury(t.Context(), ledger.DeadLetter{
		TaskID: id, Tenant: "clinic-a", Kind: "schedule.sync", Lane: "interactive", Code: code, Attempts: 1,
		DiedAt: time.Now().Add(-time.Hour), Payload: []byte(plantedMarker),
	})
	if err != nil {
		t.Fatal(err)
	}
}
