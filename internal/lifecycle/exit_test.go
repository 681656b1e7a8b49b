package lifecycle

import (
	"bytes"
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
		"nothing":   {nil, 0},
		"anything":  {errors.New("broken"), 1},
		"asks":      {ErrDependency, 6},
		"asks deep": {fmt.Errorf("worker: %w", errors.Join(errors.New("broken"), fmt.Errorf("redis: %w: %w", ErrDependency, errors.New("eof")))), 6},
	} {
		var log bytes.Buffer
		if got := ExitCode(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), c.err); got != c.want {
			t.Errorf("%s: %d, want %d", name, got, c.want)
		}
		if lines := strings.Count(log.String(), "level=ERROR"); lines == 0 != (c.err == nil) || lines > 1 {
			t.Errorf("%s: the log says %q", name, log.String())
		}
	}
}

func TestBuildIsNeverNameless(t *testing.T) {
	t.Parallel()
	if b := ReadBuild(); b.Version == "" || !strings.HasPrefix(b.Go, "go1.") {
		t.Errorf("%+v", b)
	}
}
