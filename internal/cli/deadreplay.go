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
	maxReplay     = 100_000 // dead letters per command
	maxReplayRate = 1000    // dead letters per second
	minReplayRate = 0.01
)

// replayFlags select the dead letters and how they are replayed.
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
		Short: "Enqueue the tasks of open dead letters again",
		Long: `Enqueue the tasks of open dead letters again: the named ones, or with --all those that the other flags select. A
task keeps its ID and gets all its attempts back. The command needs no keyset, because payloads stay sealed.

The command can be interrupted and repeated. It does not duplicate a task that is already waiting, keeps the dead letter
of a task that is running, and resolves a dead letter if another task does the same work or has done it since.
--dry-run prints how many dead letters there are, how many vendor calls their tasks need, and which tasks would die again:
an unknown kind, a newer version, a key that the keyset lacks, a lost payload, invalid arguments, or too old. If ROUNDS_KEYS is
set, it opens the payloads to find out.

The exit code is 9 if some dead letters were replayed and others could not be.`,
		Example: `  rounds dead replay ….sync
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
	cmd.Flags().BoolVar(&f.all, "all", false, "all open dead letters that the other flags select")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "change nothing, print the cost and what would die again")
	yesFlag(cmd, &f.yes)
	cmd.Flags().Float64Var(&f.rate, "rate", 20, "maximum number of dead letters per second")
	cmd.Flags().IntVar(&f.max, "max", maxReplay, "maximum number of dead letters, the oldest first")
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
		return filter, usage("task IDs cannot be combined with --all and the flags that select dead letters")
	case len(ids) == 0 && !f.all:
		return filter, usage("task IDs or --all are required")
	case !(f.rate >= minReplayRate && f.rate <= maxReplayRate): // false for NaN
		return filter, usage("--rate must be between %v and %v", minReplayRate, maxReplayRate)
	case f.max < 1 || f.max > maxReplay || len(ids) > maxReplay:
		return filter, usage("--max must be between 1 and %d", maxReplay)
	}
	return filter, nil
}

// replay is one execution of the command.
type replay struct {
	env      *env
	stores   *stores
	flags    replayFlags
	producer *queue.Producer
	doc      replayDoc
	examine  func(context.Context, ledger.DeadLetter) error // counts what would die again; nil without --dry-run
}

// selected is a dead letter to replay.
type selected struct {
	id     string
	kind   string
	tenant tenant.ID
}

func (r *replay) run(ctx context.Context, ids []string, filter ledger.Filter) error {
	if r.flags.dryRun {
		if err := r.prepareDryRun(); err != nil {
			return err
		}
	}
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
		if err := r.env.confirm(r.flags.yes, r.doc.question()); err != nil {
			return err
		}
	}
	if err := r.each(ctx, dead); err != nil {
		return r.stopped(err)
	}
	r.env.actionLog().InfoContext(ctx, "dead letters replayed", "count", r.doc.replayed())
	if err := r.env.answer(r.doc, r.doc.write); err != nil {
		return err
	}
	return r.doc.outcome()
}

// selectDead returns the dead letters to replay, without their payloads, because there may be many.
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
		if r.examine != nil && err == nil {
			if err := r.examine(ctx, l); err != nil {
				return nil, err
			}
		}
	}
	if len(ids) > 0 {
		return out, nil
	}
	for filter.Limit = maxDeadLetters; ; {
		page, err := r.stores.ledger.DeadLetters(ctx, filter)
		if errors.Is(err, ledger.ErrInvalid) {
			return nil, usage("a flag has an impossible value: %s", err)
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
			if r.examine != nil {
				if err := r.examine(ctx, l); err != nil {
					return nil, err
				}
			}
		}
		if len(page) < maxDeadLetters {
			return out, nil
		}
		filter.After = page[len(page)-1].TaskID
	}
}

// each replays the dead letters one by one, no faster than --rate.
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

// one replays one dead letter. It returns only errors that would affect the next one, too.
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
		err = nil // the task was enqueued; another command resolved the dead letter, or the task has died again and the dead letter is newer
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

// stopped is the failure of a replay that ended early.
func (r *replay) stopped(err error) error {
	if r.doc.replayed() == 0 {
		return err
	}
	return &failure{
		Exit: exitPartly, Code: "PARTLY", What: fmt.Sprintf("%d of %d dead letters were replayed", r.doc.replayed(), r.doc.Selected), cause: err,
		Found: []string{err.Error()}, Means: "the others are unchanged", Try: []string{"repeat the command"},
	}
}
