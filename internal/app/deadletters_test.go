package app

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/tasks"
)

// A dead letter that the ledger refuses must not keep its task alive.
func TestOversizedDeadLettersAreKeptWithoutPayload(t *testing.T) {
	t.Parallel()
	sys := build(t)
	tools := sys.tools(t)
	var log bytes.Buffer
	bury := buryIn(tools.Ledger, slog.New(slog.NewTextHandler(&log, nil)))
	deadLetter := func(id string) tasks.DeadLetter {
		return tasks.DeadLetter{TaskID: id, Tenant: clinicA.String(), Kind: "patient.sync", Lane: "sync", Code: "panic", DiedAt: time.Now()}
	}
	whole := deadLetter("whole")
	whole.Payload = []byte("sealed")
	huge := deadLetter("huge")
	huge.Payload = make([]byte, 1<<20)
	headers := deadLetter("headers")
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
	odd := deadLetter("odd") // only its ID is valid text
	odd.Kind, odd.Lane, odd.Tenant, odd.Attempts, odd.EnqueuedAt = "a\x00b", "\xff", "No Tenant", -1, time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := bury(t.Context(), odd); err != nil {
		t.Fatal(err)
	}
	if got, err := tools.Ledger.DeadLetter(t.Context(), "odd"); err != nil || got.Code != "panic" || got.Kind+got.Lane+string(got.Tenant) != "" {
		t.Errorf("%+v, %v", got, err)
	}
	never := deadLetter("line\nbreak")
	if err := bury(t.Context(), never); err != nil || !strings.Contains(log.String(), "this line is its only record") {
		t.Errorf("%v; log: %s", err, log.String())
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := bury(ended, deadLetter("later")); err == nil {
		t.Error("a dead letter that was not stored is reported as stored")
	}
}
