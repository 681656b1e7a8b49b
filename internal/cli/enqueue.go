package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// kinds are all kinds of package tasks.
var kinds = tasks.Kinds()

// enqueueFlags describe the task and when it may run.
type enqueueFlags struct {
	tenant, jsonArgs, at, once, lane string
	args                             []string
	in                               time.Duration
}

func newEnqueue(e *env) *cobra.Command {
	var f enqueueFlags
	var list strings.Builder
	known := make([]string, 0, len(kinds))
	for _, k := range kinds {
		members := strings.Join(k.Members(), ", ")
		fmt.Fprintf(&list, "\n  %-18s %s", k.Name, cmp.Or(members, "-"))
		known = append(known, k.Name)
	}
	cmd := &cobra.Command{
		Use:   "enqueue KIND",
		Short: "Enqueue a task",
		Long: `Enqueue a task and print its ID. If an equal task is already waiting, the new demand joins it.

Pass identifiers of people with --json-args, not --arg: other users can see command lines, and shells keep them in their
history.

Kinds and their arguments:` + list.String(),
		Example: `  rounds enqueue schedule.sync --tenant clinic-a --arg practice=1 --arg from=2026-03-02 --arg to=2026-03-02
  echo '{"practice": "1", "patient": "1001"}' | rounds enqueue patient.sync --tenant clinic-a --json-args -`,
		Args:      names("KIND"),
		ValidArgs: known,
		RunE: func(cmd *cobra.Command, args []string) error {
			demand, err := e.demand(args[0], f, time.Now())
			if err != nil {
				return err
			}
			return e.withTools(cmd.Context(), func(t *app.Tools) error { return e.enqueue(cmd.Context(), t, demand) })
		},
	}
	e.tenantFlag(cmd, &f.tenant, "tenant of the task (required)")
	cmd.Flags().StringArrayVar(&f.args, "arg", nil, "one argument as name=value; may be repeated")
	cmd.Flags().StringVar(&f.jsonArgs, "json-args", "", "all arguments as a JSON object: @FILE, or - for stdin")
	cmd.Flags().StringVar(&f.at, "at", "", "run at this time, like 2026-03-02T18:00:00-06:00")
	cmd.Flags().DurationVar(&f.in, "in", 0, "run after this long, like 10m")
	cmd.Flags().StringVar(&f.once, "once", "", "idempotency key: within 48 h, the same key returns the first task")
	cmd.Flags().StringVar(&f.lane, "lane", "", "the kind's own lane, or interactive if a person is waiting")
	return cmd
}

// demand is a task to enqueue.
type demand struct {
	tenant  tenant.ID
	kind    tasks.Kind
	args    tasks.Args
	options []tasks.Option
}

// demand reads flags and files, and validates what it can without Redis.
func (e *env) demand(name string, f enqueueFlags, now time.Time) (demand, error) {
	k, ok := tasks.FindKind(name)
	if !ok {
		return demand{}, unknownKind(name)
	}
	d := demand{kind: k}
	var err error
	if d.tenant, err = parseTenant(f.tenant); err != nil {
		return demand{}, err
	}
	data, err := e.arguments(d.kind, f)
	if err != nil {
		return demand{}, err
	}
	if d.args, err = d.kind.Decode(data); err != nil {
		return demand{}, misfit(d.kind, "a value or the JSON around it is malformed")
	}
	d.options, err = f.options(d.kind, now)
	return d, err
}

func unknownKind(name string) *failure {
	f := usage("unknown kind %q", name)
	for _, k := range kinds {
		f.Try = append(f.Try, k.Name)
	}
	return f
}

// misfit does not repeat the value, which may identify a person.
func misfit(k tasks.Kind, why string) *failure {
	f := usage("the arguments do not fit %s", k.Name)
	f.Found = []string{why}
	f.Means = k.Name + " takes " + strings.Join(k.Members(), ", ")
	return f
}

// arguments returns the JSON of the task's arguments.
func (e *env) arguments(k tasks.Kind, f enqueueFlags) ([]byte, error) {
	if f.jsonArgs != "" {
		if len(f.args) > 0 {
			return nil, usage("--arg and --json-args cannot be combined")
		}
		return e.readArguments(k, f.jsonArgs)
	}
	members := make(map[string]string, len(f.args))
	for _, a := range f.args {
		name, value, ok := strings.Cut(a, "=")
		if _, twice := members[name]; !ok || twice || !slices.Contains(k.Members(), name) {
			return nil, misfit(k, "an --arg is not name=value, is repeated, or has an unknown name")
		}
		members[name] = value
	}
	return json.Marshal(members)
}

// readArguments reads the source of --json-args, up to the largest payload.
func (e *env) readArguments(k tasks.Kind, from string) ([]byte, error) {
	in := e.stdin
	if from != "-" {
		path, ok := strings.CutPrefix(from, "@")
		if !ok {
			return nil, usage("--json-args takes @FILE, or - for stdin")
		}
		file, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("read arguments: %w", err)
		}
		defer file.Close()
		in = file
	}
	data, err := io.ReadAll(io.LimitReader(in, tasks.MaxPayload+1))
	switch {
	case err != nil:
		return nil, fmt.Errorf("read arguments: %w", err)
	case len(data) > tasks.MaxPayload:
		return nil, misfit(k, fmt.Sprintf("they are larger than %d bytes", tasks.MaxPayload))
	}
	return data, nil
}

func (f enqueueFlags) options(k tasks.Kind, now time.Time) ([]tasks.Option, error) {
	var out []tasks.Option
	switch {
	case f.at != "" && f.in != 0:
		return nil, usage("--at and --in cannot be combined")
	case f.in < 0:
		return nil, usage("--in must not be negative")
	case f.at != "":
		at, err := time.Parse(time.RFC3339, f.at)
		if err != nil {
			return nil, usage("--at must be a time like 2026-03-02T18:00:00-06:00")
		}
		if at.Before(now) {
			return nil, usage("--at is in the past")
		}
		out = append(out, tasks.At(at))
	case f.in != 0:
		out = append(out, tasks.In(f.in))
	}
	if f.once != "" {
		out = append(out, tasks.Once(f.once))
	}
	switch f.lane {
	case "", k.Options.Lane:
	case tasks.LaneInteractive:
		out = append(out, tasks.Interactive())
	default:
		return nil, usage("--lane for %s must be %s or %s", k.Name, k.Options.Lane, tasks.LaneInteractive)
	}
	return out, nil
}

// receipt is the result of enqueue.
type receipt struct {
	ID       string `json:"id"`
	Tenant   string `json:"tenant"`
	Kind     string `json:"kind"`
	Joined   bool   `json:"joined"`   // an equal task was already waiting
	Repeated bool   `json:"repeated"` // the --once key was used before
}

func (e *env) enqueue(ctx context.Context, t *app.Tools, d demand) error {
	// The queue accepts tasks of any tenant. A mistyped tenant would only be found by a worker,
	// long after this command.
	if _, err := findTenant(ctx, t.Ledger, d.tenant.String()); err != nil {
		return err
	}
	got, err := t.Tasks.Enqueue(ctx, d.tenant.String(), d.args, d.options...)
	switch {
	case errors.Is(err, tasks.ErrInvalid):
		return &failure{Exit: exitUsage, Code: "INVALID", What: err.Error(), cause: err, Means: "nothing was enqueued"}
	case errors.Is(err, tasks.ErrReused):
		return &failure{
			Exit: exitConflict, Code: "REUSED", What: "the --once key was used for another task", cause: err,
			Means: "nothing was enqueued", Try: []string{"use a different key for each task"},
		}
	case err != nil:
		return err
	}
	r := receipt{ID: got.ID, Tenant: d.tenant.String(), Kind: d.kind.Name, Joined: got.Joined, Repeated: got.Repeated}
	switch {
	case r.Repeated:
		e.printf("the key was used before; this is the task of the first call")
	case r.Joined:
		e.printf("an equal task is already waiting; this demand joins it")
	}
	return e.answer(r, func(w io.Writer) { _, _ = fmt.Fprintln(w, r.ID) })
}
