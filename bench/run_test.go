package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/bench/internal/pair"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

func fixed(rows []report.Row, err error) bench {
	return bench{"fixed", "returns fixed rows", func(flags *flag.FlagSet) func(context.Context) ([]report.Row, error) {
		flags.Bool("odd", false, "")
		return func(context.Context) ([]report.Row, error) { return rows, err }
	}}
}

func TestExitCodes(t *testing.T) {
	t.Parallel()
	row := func(floor float64) []report.Row {
		s := pair.Samples{Ours: []float64{1, 3, 2}, Theirs: []float64{4, 6, 4}}
		return []report.Row{report.Row{Name: "r", Unit: "u", Better: report.Higher, Floor: &floor, Samples: s}.Complete()}
	}
	interrupted, cancel := context.WithCancel(t.Context())
	cancel()
	for name, tt := range map[string]struct {
		ctx  context.Context
		b    bench
		args []string
		want int
	}{
		"at the floor":    {t.Context(), fixed(row(0.5), nil), nil, exitOK},
		"short":           {t.Context(), fixed(row(0.51), nil), nil, exitShort},
		"short, as JSON":  {t.Context(), fixed(row(0.51), nil), []string{"--json"}, exitShort},
		"failed":          {t.Context(), fixed(nil, errors.New("x")), nil, exitFailed},
		"interrupted":     {interrupted, fixed(nil, context.Canceled), nil, exitInterrupted},
		"unknown flag":    {t.Context(), fixed(nil, nil), []string{"--fast"}, exitUsage},
		"second argument": {t.Context(), fixed(nil, nil), []string{"--json", "x"}, exitUsage},
		"help":            {t.Context(), fixed(nil, nil), []string{"-h"}, exitOK},
	} {
		var stdout, stderr bytes.Buffer
		if code := tt.b.run(tt.ctx, tt.args, &stdout, &stderr); code != tt.want {
			t.Errorf("%s: exit %d, want %d: %s", name, code, tt.want, stderr.String())
		}
	}
	var stderr bytes.Buffer
	for _, args := range [][]string{nil, {"unknown"}} {
		if code := run(t.Context(), args, &bytes.Buffer{}, &stderr); code != exitUsage || !strings.Contains(stderr.String(), "answers: ") {
			t.Errorf("%q: exit %d: %s", args, code, stderr.String())
		}
	}
}

// Programs read this form.
func TestDocument(t *testing.T) {
	t.Parallel()
	floor := 1.0
	b := fixed([]report.Row{report.Row{
		Name: "wait", Unit: "ms", Better: report.Lower, Floor: &floor, Peer: "p", PeerVersion: "v1", PeerConfig: "as is",
		Samples: pair.Samples{Ours: []float64{2, 4}, Theirs: []float64{6, 8}},
	}.Complete()}, nil)
	var stdout, stderr bytes.Buffer
	if code := b.run(t.Context(), []string{"--odd", "--json"}, &stdout, &stderr); code != exitOK {
		t.Fatalf("exit %d: %s", code, stderr.String())
	}
	var doc struct {
		Bench   string
		Flags   map[string]string
		Machine struct {
			CPU        *string
			Cores      int
			LoadBefore []float64 `json:"load_before"`
			LoadAfter  []float64 `json:"load_after"`
		}
		Rows []map[string]any
		Pass bool
	}
	if err := json.Unmarshal(stdout.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Bench != "fixed" || doc.Flags["odd"] != "true" || doc.Machine.Cores < 1 || doc.Machine.LoadBefore == nil ||
		len(doc.Machine.LoadAfter) != len(doc.Machine.LoadBefore) || !doc.Pass || len(doc.Rows) != 1 {
		t.Fatalf("document: %s", stdout.String())
	}
	row := doc.Rows[0]
	for member, want := range map[string]any{
		"name": "wait", "unit": "ms", "ours": 3.0, "theirs": 7.0, "ratio": 2.5, "floor": 1.0, "peer": "p", "peer_version": "v1", "peer_config": "as is",
	} {
		if row[member] != want {
			t.Errorf("%s is %v, want %v", member, row[member], want)
		}
	}
	if samples, ok := row["samples"].(map[string]any); !ok || samples["ours"] == nil || samples["theirs"] == nil {
		t.Errorf("samples: %v", row["samples"])
	}
}
