package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

const (
	maxReplay     = 100_000 // letters of one command
	maxReplayRate = 1000    // letters a second
	minReplayRate = 0.01
)

// replayFlags say which letters are replayed, and how.
type replayFlags struct {
	deadFlags
	all, dryRun, yes bool
	rate             float64
	max              int
}

func newDeadReplay(e *env) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use:   "replay [ID…]",
		Short: "Let the tasks of open letters run again",
		Long: `Let the tasks of open letters run again: those named, or with --all those that the other flags choose. No key is
needed, since a payload travels as it was sealed. A task runs again under its own ID, with none of its attempts spent.

It may be repeated and interrupted: a task that waits already is not doubled, one that runs at the moment keeps its letter
until it has ended, and one whose work another task does, or did since, is settled. --dry-run says how many there are and
what they would ask of the vendor.

Exit code 9 says that some letters were replayed and others could not be.`,
		Example: `  rounds dead replay sync-…
  rounds dead replay --all --code vendor_unauthenticated --tenant clinic-a --dry-run
  rounds dead replay --all --kind patient.sync --since 24h --rate 5 --yes`,
		Annotations: map[string]string{untimed: "yes"},
		RunE: func(cmd *cobra.Command, args []string) error {
			filter, err := f.check(args)
			if err != nil {
				return err
			}
			return e.withStores(cmd.Context(), config.NeedQueue|config.NeedLedger, func(s *stores) error {
				r := &replay{env: e, stores: s, flags: f, producer: queue.NewProducer(s.queue)}
				return r.run(cmd.Context(), args, filter)
			})
		},
	}
	f.add(e, cmd)
	cmd.Flags().BoolVar(&f.all, "all", false, "all open letters that the other flags choose")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "change nothing, say what it would cost")
	yesFlag(cmd, &f.yes)
	cmd.Flags().Float64Var(&f.rate, "rate", 20, "letters a second, at most")
	cmd.Flags().IntVar(&f.max, "max", maxReplay, "letters in all, at most; those that died first")
	return cmd
}

func (f *replayFlags) check(ids []string) (ledger.Filter, error) {
	filter, err := f.filter(time.Now())
	filter.State = ledger.StateOpen
	narrowed := f.tenant != "" || f.kind != "" || f.code != "" || f.since != 0
	switch {
	case err != nil:
		return filter, err
	case len(ids) > 0 && (f.all || narrowed):
		return filter, usage("task IDs do not go together with --all and the flags that choose letters")
	case len(ids) == 0 && !f.all:
		return filter, usage("task IDs are missing, or --all")
	case !(f.rate >= minReplayRate && f.rate <= maxReplayRate): // NaN is neither
		return filter, usage("--rate must be between %v and %v", minReplayRate, maxReplayRate)
	case f.max < 1 || f.max > maxReplay || len(ids) > maxReplay:
		return filter, usage("--max must be between 1 and %d", maxReplay)
	}
	return filter, nil
}

// replay is one run of the command.
type replay struct {
	env      *env
	stores   *stores
	flags    replayFlags
	producer *queue.Producer
	doc      replayDoc
}

// selected is a letter on its way.
type selected struct {
	id     string
	kind   string
	tenant tenant.ID
}

func (r *replay) run(ctx context.Context, ids []string, filter ledger.Filter) error {
	dead, err := r.selectDead(ctx, ids, filter)
	if err != nil {
		return err
	}
	r.doc.DryRun, r.doc.Selected = r.flags.dryRun, len(dead)
	r.doc.Cost, r.doc.Failures = cost(dead), []faultDoc{}
	if r.flags.dryRun {
		return r.env.answer(r.doc, r.doc.write)
	}
	if r.flags.all && len(dead) > 0 {
		if err := r.env.agree(r.flags.yes, r.doc.question()); err != nil {
			return err
		}
	}
	if err := r.each(ctx, dead); err != nil {
		return r.stopped(err)
	}
	r.env.acts().InfoContext(ctx, "dead letters replayed", "count", r.doc.replayed())
	if err := r.env.answer(r.doc, r.doc.write); err != nil {
		return err
	}
	return r.doc.outcome()
}

// selectDead lists the letters that are meant. Of many, what is kept is little.
func (r *replay) selectDead(ctx context.Context, ids []string, filter ledger.Filter) ([]selected, error) {
	var out []selected
	for _, id := range ids {
		l, err := r.stores.ledger.DeadLetter(ctx, id)
		switch {
		case len(ids) == 1 && errors.Is(err, ledger.ErrNotFound):
			return nil, noDeadLetter(id, err)
		case err != nil && !errors.Is(err, ledger.ErrNotFound) && !errors.Is(err, ledger.ErrInvalid):
			return nil, err
		}
		out = append(out, selected{id: id, kind: l.Kind, tenant: l.Tenant})
	}
	if len(ids) > 0 {
		return out, nil
	}
	for filter.Limit = maxDeadLetters; ; {
		page, err := r.stores.ledger.DeadLetters(ctx, filter)
		if errors.Is(err, ledger.ErrInvalid) {
			return nil, usage("a flag holds what no letter can have: %s", err)
		}
		if err != nil {
			return nil, err
		}
		for _, l := range page {
			if len(out) == r.flags.max {
				r.doc.More = true
				return out, nil
			}
			out = append(out, selected{id: l.TaskID, kind: l.Kind, tenant: l.Tenant})
		}
		if len(page) < maxDeadLetters {
			return out, nil
		}
		filter.After = page[len(page)-1].TaskID
	}
}

// each replays the letters one by one, no faster than --rate.
func (r *replay) each(ctx context.Context, dead []selected) error {
	p := r.env.progress("replayed")
	defer p.end()
	tick := time.NewTicker(time.Duration(float64(time.Second) / r.flags.rate))
	defer tick.Stop()
	for i, l := range dead {
		if i > 0 {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if err := r.one(ctx, l.id); err != nil {
			return err
		}
		p.at(i+1, len(dead))
	}
	return nil
}

// one replays one letter. Its error is one that would meet the next letter too.
func (r *replay) one(ctx context.Context, id string) error {
	var did queue.ReplayResult
	_, err := r.stores.ledger.Replay(ctx, id, func(ctx context.Context, l ledger.DeadLetter) (_ string, err error) {
		did, err = r.producer.Replay(ctx, queue.Dead{ID: l.TaskID, Kind: l.Kind, Payload: l.Payload, Headers: l.Headers})
		if did == queue.ReplayQueued || did == queue.ReplayWaiting {
			return ledger.StateReplayed, err
		}
		return ledger.StateResolved, err
	})
	if errors.Is(err, ledger.ErrConflict) && did != "" {
		err = nil // it runs again; others settled the letter, or it has died again already and the letter tells of that
	}
	switch {
	case err == nil:
		r.doc.count(did)
	case errors.Is(err, ledger.ErrConflict):
		r.doc.fault(id, faultNotOpen)
	case errors.Is(err, ledger.ErrNotFound), errors.Is(err, ledger.ErrInvalid):
		r.doc.fault(id, faultNotFound)
	case errors.Is(err, queue.ErrID):
		r.doc.fault(id, faultForeign)
	case errors.Is(err, queue.ErrLost):
		r.doc.fault(id, faultLost)
	case errors.Is(err, queue.ErrRunning):
		r.doc.fault(id, faultRuns)
	default:
		return err
	}
	return nil
}

// stopped is the failure of a replay that ended before its last letter.
func (r *replay) stopped(err error) error {
	if r.doc.replayed() == 0 {
		return err
	}
	return &failure{
		Exit: exitPartly, Code: "PARTLY", What: fmt.Sprintf("%d of %d letters were replayed", r.doc.replayed(), r.doc.Selected), cause: err,
		Found: []string{err.Error()}, Means: "the others are as they were", Try: []string{"the same command again"},
	}
}
