package logging_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.uber.org/goleak"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	invalid = "[invalid]" // the value is not spelled as its key requires
	dropped = "[dropped]" // the key is outside the vocabulary
)

// setup returns a context that exports to its own receiver, and a function that sends what is
// buffered.
func setup(t *testing.T) (context.Context, *otlptest.Receiver, func()) {
	t.Helper()
	receiver := otlptest.New(t)
	tel, shutdown, err := export.Setup(t.Context(), export.Options{Endpoint: receiver.URL()})
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.With(t.Context(), tel), receiver, func() {
		t.Helper()
		if err := shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

// masked is a text that masks itself, as a patient's name does.
type masked string

func (masked) LogValue() slog.Value { return slog.StringValue("[phi]") }

type laneName string

type count int

// line logs one line as JSON and returns it.
func line(t *testing.T, o logging.Options, write func(*slog.Logger)) map[string]any {
	t.Helper()
	var b bytes.Buffer
	o.JSON = true
	write(logging.New(&b, o))
	var got map[string]any
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatalf("line %q: %v", b.String(), err)
	}
	return got
}

var noTime = cmpopts.IgnoreMapEntries(func(key string, _ any) bool { return key == "time" })

func TestLineKeepsTheVocabularyAndDropsTheRest(t *testing.T) {
	t.Parallel()
	got := line(t, logging.Options{}, func(log *slog.Logger) {
		log.With("lane", laneName("sync"), "owner", "Maria").WarnContext(t.Context(), "task ended",
			"tenant", "clinic-a",
			"attempt", 2,
			"rows", count(90),
			"wait", 1500*time.Millisecond,
			"ok", true,
			"error", errors.New("read cache: connection refused"),
			"code", "Maria Muster",
			"ref", 4711,
			"patient", "Maria Muster",
			"count", struct{ Name string }{"Maria"},
			"reason", masked("Maria"),
			slog.Group("Maria", "name", "Muster", "kind", "patient.sync"),
			"Maria Muster", 1,
			"level", "high",
		)
	})
	want := map[string]any{
		"severity": "WARNING", "message": "task ended",
		"lane": "sync", "owner": dropped,
		"tenant": "clinic-a", "attempt": 2.0, "rows": 90.0, "wait": "1.5s", "ok": true,
		"error": "read cache: connection refused",
		"code":  invalid, "ref": dropped, "patient": dropped, "count": dropped,
		"reason": invalid, "name": dropped, "kind": "patient.sync", "key": dropped,
	}
	if diff := cmp.Diff(want, got, noTime); diff != "" {
		t.Errorf("line (-want +got):\n%s", diff)
	}
	if _, ok := got["time"]; !ok {
		t.Error("the line has no time")
	}
}

func TestMaskedTextStaysMaskedInProse(t *testing.T) {
	t.Parallel()
	got := line(t, logging.Options{}, func(log *slog.Logger) {
		log.ErrorContext(t.Context(), "x", "error", masked("Maria"), "file", strings.Repeat("f", 301))
	})
	if got["error"] != "[phi]" {
		t.Errorf("error = %v, want the mask", got["error"])
	}
	if file, _ := got["file"].(string); len(file) != 300+len("…") {
		t.Errorf("a long text has %d bytes, want it cut", len(file))
	}
}

func TestSeverities(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]string{
		slog.LevelDebug: "DEBUG", slog.LevelInfo: "INFO", slog.LevelWarn: "WARNING", slog.LevelError: "ERROR",
	} {
		got := line(t, logging.Options{Level: slog.LevelDebug}, func(log *slog.Logger) { log.Log(t.Context(), level, "x") })
		if got["severity"] != want {
			t.Errorf("level %v is written as %v, want %v", level, got["severity"], want)
		}
	}
}

func TestLevelFiltersLines(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	var level slog.LevelVar
	log := logging.New(&b, logging.Options{Level: &level})
	log.DebugContext(t.Context(), "hidden")
	level.Set(slog.LevelDebug)
	log.DebugContext(t.Context(), "shown")
	if got := b.String(); strings.Contains(got, "hidden") || !strings.Contains(got, "shown") {
		t.Errorf("log = %q, want the second line alone", got)
	}
	b.Reset()
	logging.New(&b, logging.Options{}).DebugContext(t.Context(), "hidden")
	if b.Len() != 0 {
		t.Errorf("log = %q, want nothing below info by default", b.String())
	}
}

func TestLinesInsideASpanCarryItsIDs(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	ctx, span := telemetry.Start(ctx, telemetry.SpanTask)
	plain := line(t, logging.Options{}, func(log *slog.Logger) { log.InfoContext(ctx, "x") })
	cloud := line(t, logging.Options{Project: "p1"}, func(log *slog.Logger) { log.InfoContext(ctx, "x") })
	outside := line(t, logging.Options{}, func(log *slog.Logger) { log.InfoContext(context.Background(), "x") })
	span.End("")
	flush()

	sent := receiver.Spans()[0]
	if plain["trace_id"] != sent.TraceID || plain["span_id"] != sent.SpanID {
		t.Errorf("line carries %v/%v, want %s/%s", plain["trace_id"], plain["span_id"], sent.TraceID, sent.SpanID)
	}
	if got, want := cloud["logging.googleapis.com/trace"], "projects/p1/traces/"+sent.TraceID; got != want {
		t.Errorf("Cloud Logging trace = %v, want %v", got, want)
	}
	if cloud["logging.googleapis.com/spanId"] != sent.SpanID || cloud["logging.googleapis.com/trace_sampled"] != true {
		t.Errorf("Cloud Logging line = %v, want the span's ID, sampled", cloud)
	}
	if _, ok := outside["trace_id"]; ok {
		t.Errorf("a line outside any span carries a trace: %v", outside)
	}
}

func TestDroppedValuesAreCounted(t *testing.T) {
	t.Parallel()
	ctx, receiver, flush := setup(t)
	var b bytes.Buffer
	log := logging.New(&b, logging.Options{}).With("patient", "Maria")
	log.InfoContext(ctx, "x", "phone", "555-0100")
	log.InfoContext(ctx, "x")
	flush()
	points := receiver.Points("rounds.log.dropped")
	if len(points) != 1 || points[0].Sum != 3 {
		t.Errorf("counted %v, want 3 dropped values", points)
	}
	if strings.Contains(b.String(), "Maria") || strings.Contains(b.String(), "555") {
		t.Errorf("log = %q shows a value that should be dropped", b.String())
	}
}

func TestLinesForPeople(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	logging.New(&b, logging.Options{}).WithGroup("Maria").InfoContext(t.Context(), "task ended", "kind", "patient.sync")
	got := b.String()
	if !strings.Contains(got, "INF task ended kind=patient.sync") || strings.Contains(got, "\x1b[") || strings.Contains(got, "Maria") {
		t.Errorf("line = %q, want words without colors or group", got)
	}
}
