package app

import (
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// Dashboards and scripts find operators' commands by these names.
func TestToolsReportAsRounds(t *testing.T) {
	t.Parallel()
	sys := build(t)
	collector := otlptest.New(t)
	tools, err := OpenTools(t.Context(), Process{Collector: collector.URL()}, sys.settings)
	if err != nil {
		t.Fatal(err)
	}
	_, span := telemetry.Start(telemetry.With(t.Context(), tools.base.telemetry), telemetry.SpanView)
	span.End("")
	if err := tools.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := collector.Spans(); len(got) != 1 || got[0].Service != "rounds" {
		t.Errorf("spans %+v, want one of the service rounds", got)
	}
	broken := sys.settings
	broken.Keyset = "no keyset"
	if _, err := OpenTools(t.Context(), Process{}, broken); err == nil || !strings.HasPrefix(err.Error(), "open: ROUNDS_KEYS: ") {
		t.Errorf("without keys: %v", err)
	}
}
