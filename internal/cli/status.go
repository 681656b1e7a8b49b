package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

func newStatus(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Show what needs attention now",
		Long: `Show what needs attention now, as the page Now does: a store that does not answer, no scheduler, no worker for a lane with
tasks, an open breaker, a refused login, a full budget, and notices. Each has its evidence, what it means and for whom, and what
to do. The command reads the queue's Redis and the ledger, and changes nothing.

The exit code is 7 if one of them is a fault. Notices do not count.`,
		Example: "  rounds status\n  rounds status --json",
		Args:    names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return e.withStores(cmd.Context(), config.NeedQueue, func(s *stores) error { return e.status(cmd.Context(), s) })
		},
	}
}

// statusDoc is the result of status.
type statusDoc struct {
	At      time.Time     `json:"at"`
	OK      bool          `json:"ok"` // no alarm is a fault
	Workers int           `json:"workers"`
	Slots   int           `json:"slots"`
	Busy    int           `json:"busy"`
	Waiting int64         `json:"waiting"` // tasks, those that are booked included
	Alarms  []alarm.Alarm `json:"alarms"`
}

func (e *env) status(ctx context.Context, s *stores) error {
	c, err := config.LoadStores(e.getenv, config.NeedLedger)
	if err != nil {
		return err
	}
	l, ledgerErr := openLedger(ctx, c.LedgerURL)
	switch {
	case errors.Is(ledgerErr, ledger.ErrURL), errors.Is(ledgerErr, ledger.ErrNoFile):
		return noLedger(ledgerErr)
	case ledgerErr == nil:
		s.ledger = l // closed with the others
	}
	snapshot := alarm.Read(ctx, s.queue, s.ledger)
	if ledgerErr != nil {
		snapshot.LedgerErr = ledgerErr
	}
	if err := ctx.Err(); err != nil {
		return err // stores would be blamed for reads that were cut off
	}
	doc := statusDoc{
		At: snapshot.At.UTC(), Workers: len(snapshot.Workers), Waiting: snapshot.Waiting(), Alarms: append([]alarm.Alarm{}, alarm.Of(snapshot)...),
	}
	doc.OK = !alarm.AnyFault(doc.Alarms)
	for _, w := range snapshot.Workers {
		doc.Slots, doc.Busy = doc.Slots+w.Slots, doc.Busy+w.Busy
	}
	if err := e.answer(doc, doc.write); err != nil || doc.OK {
		return err
	}
	return checkFailed("something needs attention")
}

func (d statusDoc) write(w io.Writer) {
	var b strings.Builder
	for _, a := range d.Alarms {
		grade := "note"
		if a.Fault {
			grade = "FAULT"
		}
		fmt.Fprintf(&b, "%-5s  %-9s  %s\n", grade, a.State, a.What)
		if a.Evidence != "" {
			lines(&b, "found", []string{a.Evidence})
		}
		lines(&b, "effect", []string{a.Effect})
		lines(&b, "next", []string{a.Next})
	}
	if len(d.Alarms) == 0 {
		fmt.Fprintln(&b, "nothing needs attention")
	}
	fmt.Fprintf(&b, "workers: %d, slots busy: %d of %d, waiting tasks: %d\n", d.Workers, d.Busy, d.Slots, d.Waiting)
	_, _ = io.WriteString(w, b.String())
}
