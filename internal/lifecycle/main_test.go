package lifecycle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestExitCode(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want int
	}{
		"none":    {nil, 0},
		"other":   {errors.New("broken"), 1},
		"coded":   {ErrDependency, 6},
		"wrapped": {fmt.Errorf("worker: %w", errors.Join(errors.New("broken"), fmt.Errorf("redis: %w: %w", ErrDependency, errors.New("eof")))), 6},
	} {
		var log bytes.Buffer
		if got := ExitCode(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if lines := strings.Count(log.String(), "level=ERROR"); lines == 0 != (c.err == nil) || lines > 1 {
			t.Errorf("%s: the log is %q", name, log.String())
		}
	}
}

type process func(context.Context) error

func (p process) Run(ctx context.Context) error { return p(ctx) }

func TestMainReturnsTheExitCode(t *testing.T) {
	t.Parallel()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		ctx       context.Context
		open, run error
		want      int
	}{
		"runs to its end":                {t.Context(), nil, nil, 0},
		"fails while it runs":            {t.Context(), nil, errBoom, 1},
		"fails after it was stopped":     {ended, nil, errBoom, 1},
		"does not open":                  {t.Context(), errBoom, nil, 1},
		"dependency does not answer":     {t.Context(), ErrDependency, nil, 6},
		"stopped while it was opened":    {ended, context.Canceled, nil, 0},
		"stopped, and a dependency gone": {ended, ErrDependency, nil, 0},
	} {
		got := Main(c.ctx, slog.New(slog.DiscardHandler), func(context.Context) (Process, error) {
			return process(func(context.Context) error { return c.run }), c.open
		})
		if got != c.want {
			t.Errorf("%s: exit code %d, want %d", name, got, c.want)
		}
	}
}

func TestBuildHasAVersion(t *testing.T) {
	t.Parallel()
	if b := ReadBuild(); b.Version == "" || !strings.HasPrefix(b.Go, "go1.") {
		t.Errorf("%+v", b)
	}
}
