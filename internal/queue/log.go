package queue

import (
	"context"
	"fmt"
	"log/slog"
)

// engineLog writes asynq's log lines. They contain task IDs, kinds and the error codes that the
// router returns to asynq, and nothing of a payload.
type engineLog struct{ log *slog.Logger }

func (l engineLog) write(level slog.Level, args []any) {
	l.log.Log(context.Background(), level, "queue engine", "error", fmt.Sprint(args...))
}

func (l engineLog) Debug(args ...any) { l.write(slog.LevelDebug, args) }
func (l engineLog) Info(args ...any)  { l.write(slog.LevelInfo, args) }
func (l engineLog) Warn(args ...any)  { l.write(slog.LevelWarn, args) }
func (l engineLog) Error(args ...any) { l.write(slog.LevelError, args) }
func (l engineLog) Fatal(args ...any) { l.write(slog.LevelError, args) }
