package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

// A letter that the ledger cannot take as it is must not keep its task alive for ever.
func TestLettersThatCannotBeKeptWhole(t *testing.T) {
	t.Parallel()
	h := build(t)
	tools := h.tools(t)
	var log bytes.Buffer
	bury := buryIn(tools.Ledger, slog.New(slog.NewTextHandler(&log, nil)))
	letter := func(id string) tasks.DeadLetter {
		return tasks.DeadLetter{TaskID: id, Tenant: clinicA.String(), Kind: "patient.sync", Lane: "sync", Code: "panic", DiedAt: time.Now()}
	}
	whole := letter("whole")
	whole.Payload = []byte("sealed")
	huge := letter("huge")
	huge.Payload = make([]byte, 1<<20)
	headers := letter("headers")
	headers.Headers = map[string]string{"tenant": strings.Repeat("x", 64<<10)}
	for _, d := range []tasks.DeadLetter{whole, huge, headers} {
		if err := bury(t.Context(), d); err != nil {
			t.Fatalf("%s: %v", d.TaskID, err)
		}
		got, err := tools.Ledger.DeadLetter(t.Context(), d.TaskID)
		if err != nil || got.Code != "panic" {
			t.Errorf("%s: %v", d.TaskID, err)
		}
		if kept := len(got.Payload) > 0; kept != (d.TaskID == "whole") {
			t.Errorf("%s: payload kept %v", d.TaskID, kept)
		}
	}
	odd := letter("odd") // nothing of it is text but its ID
	odd.Kind, odd.Lane, odd.Tenant, odd.Attempts, odd.EnqueuedAt = "a\x00b", "\xff", "No Tenant", -1, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := bury(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	if got, err := tools.Ledger.DeadLetter(t.Context(), "odd"); err != nil || got.Code != "panic" || got.Kind+got.Lane+string(got.Tenant) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	never := letter("line\nbreak")
	if err := bury(t.Context(), never); err != nil || !strings.Contains(log.String(), "this line is all there is") {
		t.Errorf("%v; log: %s", err, log.String())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bury(ended, letter("later")); err == nil {
		t.Error("a letter that was not written counts as buried")
	}
}

func TestSweepOnceGoesThroughEveryTenant(t *testing.T) {
	t.Parallel()
	h := build(t)
	tools := h.tools(t)
	h.work(t)
	h.demand(t, tools)
	h.board(t, tools, full(6))
	versions, old := clinicA.Key("c1", "m"), "old-0001"
	if err := tools.Cache.HSet(t.Context(), versions, old, 1).Err(); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	newest := ledger.Tick{Tenant: clinicA, Schedule: "test", At: now.Add(-2 * ticksKept)}
	older := newest
	older.At = newest.At.Add(-time.Hour)
	if _, err := tools.Ledger.AddDue(t.Context(), []ledger.Tick{older, newest}); err != nil {
		t.Fatal(err)
	}
	if err := tools.Ledger.MarkSent(t.Context(), older, now); err != nil {
		t.Fatal(err)
	}
	if err := sweepOnce(t.Context(), tools.Ledger, tools.base.cache, now); err != nil {
		t.Fatal(err)
	}
	if err := tools.Ledger.MarkSent(t.Context(), older, now); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a tick that was sent two weeks ago is left: %v", err)
	}
	if left, err := tools.Cache.HExists(t.Context(), versions, old).Result(); err != nil || left {
		t.Errorf("an old version is left: %v, %v", left, err)
	}
	h.board(t, tools, full(6))
	if err := tools.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if err := sweepOnce(t.Context(), tools.Ledger, tools.base.cache, now); err == nil {
		t.Error("a ledger that is closed was swept")
	}
}
