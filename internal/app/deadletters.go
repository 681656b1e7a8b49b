package app

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// buryIn stores dead letters in the ledger. If the ledger refuses one for its content, such as an
// oversized payload or a header that is not text, it is stored without that content: a dead letter
// that cannot be stored must not keep its task alive.
func buryIn(l *ledger.Ledger, log *slog.Logger) func(context.Context, tasks.DeadLetter) error {
	return func(ctx context.Context, d tasks.DeadLetter) error {
		deadLetter := ledger.DeadLetter{
			TaskID: d.TaskID, Tenant: tenant.ID(d.Tenant), Kind: d.Kind, Lane: d.Lane, Code: string(d.Code), Attempts: d.Attempts,
			EnqueuedAt: d.EnqueuedAt, DiedAt: d.DiedAt, Payload: d.Payload, Headers: d.Headers,
		}
		err := l.Bury(ctx, deadLetter)
		if !errors.Is(err, ledger.ErrInvalid) {
			return err
		}
		log.WarnContext(ctx, "dead letter is kept without its payload", "task", d.TaskID, "code", d.Code, "error", err)
		if err = l.Bury(ctx, withoutContent(deadLetter)); !errors.Is(err, ledger.ErrInvalid) {
			return err
		}
		log.ErrorContext(ctx, "dead letter not stored; this line is its only record", "tenant", d.Tenant, "task", d.TaskID,
			"kind", d.Kind, "code", d.Code, "error", err)
		return nil
	}
}

// withoutContent returns the dead letter without the fields that the task's producer set and that
// may hold anything. It keeps the task ID, which identifies the dead letter.
func withoutContent(d ledger.DeadLetter) ledger.DeadLetter {
	text := func(s string) string {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl) || len(s) > 100 {
			return ""
		}
		return s
	}
	id, _ := tenant.Parse(d.Tenant.String()) // the zero ID if it is invalid
	return ledger.DeadLetter{
		TaskID: d.TaskID, Tenant: id, Kind: text(d.Kind), Lane: text(d.Lane), Code: text(d.Code),
		DiedAt: d.DiedAt,
	}
}
