// Package logging sets up the log of a process. It writes lines for Cloud Logging or for people,
// held to telemetry's vocabulary.
package logging

import (
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/lmittmann/tint"
	"github.com/mattn/go-isatty"

	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// Options configures the format of the log.
type Options struct {
	// JSON writes one object per line with the names that Cloud Logging reads. False: lines for
	// people.
	JSON bool
	// Level is the lowest level written. Nil: info. A [slog.LevelVar] can change it while the
	// process runs.
	Level slog.Leveler
	// NoColor writes lines for people without colors. A writer that is not a terminal gets none
	// anyway.
	NoColor bool
	// Project is the Google Cloud project that stores the traces. Empty: lines carry the plain
	// trace_id and span_id.
	Project string
}

// New returns a log that writes to w through [telemetry.NewLogHandler].
func New(w io.Writer, o Options) *slog.Logger {
	level := o.Level
	if level == nil {
		level = slog.LevelInfo
	}
	var inner slog.Handler
	if o.JSON {
		inner = slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: cloudName})
	} else {
		inner = tint.NewTextHandler(w, &tint.Options{
			Level: level, TimeFormat: time.TimeOnly, NoColor: o.NoColor || !terminal(w),
		})
	}
	return slog.New(telemetry.NewLogHandler(inner, o.Project))
}

// cloudName renames the attributes that slog writes on every line to the names that Cloud Logging
// reads. The time keeps its name.
func cloudName(groups []string, a slog.Attr) slog.Attr {
	if len(groups) > 0 {
		return a
	}
	switch a.Key {
	case slog.MessageKey:
		a.Key = "message"
	case slog.LevelKey:
		if level, ok := a.Value.Any().(slog.Level); ok {
			return slog.String("severity", severity(level))
		}
	}
	return a
}

func severity(l slog.Level) string {
	switch {
	case l >= slog.LevelError:
		return "ERROR"
	case l >= slog.LevelWarn:
		return "WARNING"
	case l >= slog.LevelInfo:
		return "INFO"
	default:
		return "DEBUG"
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
