package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// simFlags say which vendor to play.
type simFlags struct {
	addr                                  string
	seed                                  int64
	accounts, practices, patients, visits int
	latency                               string
	configDir                             string
}

// realLatency is what the vendor's list calls were measured to take.
var realLatency = tebratest.Latency{P50: 2500 * time.Millisecond, P95: 6600 * time.Millisecond}

func newSim(e *env) *cobra.Command {
	var f simFlags
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Play the vendor: serve simulated practices with synthetic patients",
		Long: `Serve a simulator of the vendor's API until interrupted, with synthetic patients only.

--write-config makes everything that worker, scheduler and gateway need to run against it: a keyset, the tenants, a
key of the API and an environment to source. It writes into DIR before it serves, keeps a keyset that is there, and overwrites the
rest. The Redis URLs are taken from the environment; without any, one server on this machine is assumed.`,
		Example: `  rounds sim --write-config ./local
  # in another terminal
  . ./local/rounds.env
  go run ./cmd/worker`,
		Args:        names(),
		Annotations: map[string]string{untimed: "true"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return e.sim(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.addr, "addr", "127.0.0.1:8095", "address to serve on; port 0 takes any free one")
	cmd.Flags().Int64Var(&f.seed, "seed", 1, "the same seed gives the same people and days")
	cmd.Flags().IntVar(&f.accounts, "accounts", 1, "accounts, each a tenant, in changing time zones")
	cmd.Flags().IntVar(&f.practices, "practices", 2, "practices of each account")
	cmd.Flags().IntVar(&f.patients, "patients", 3000, "patients of each practice")
	cmd.Flags().IntVar(&f.visits, "visits", 90, "visits a day of each practice")
	cmd.Flags().StringVar(&f.latency, "latency", "none", "none, or real: as slow as the vendor is")
	cmd.Flags().StringVar(&f.configDir, "write-config", "", "write rounds.env, tenants.yaml, rounds.keys and apikeys into this folder first")
	cmd.AddCommand(newSimOperations(e), newSimCapture(e))
	return cmd
}

// simZones are given to accounts in turn.
var simZones = []string{"America/Chicago", "America/New_York", "America/Los_Angeles", "America/Denver", "America/Phoenix"}

func (f simFlags) config() (tebratest.Config, error) {
	c := tebratest.Config{Seed: f.seed}
	switch {
	case f.accounts < 1 || f.accounts > 1000 || f.practices < 1 || f.practices > 100:
		return c, usage("--accounts must be from 1 to 1000, --practices from 1 to 100")
	case f.patients < 1 || f.visits < 1:
		return c, usage("--patients and --visits must be at least 1")
	}
	switch f.latency {
	case "none":
	case "real":
		c.Latency = realLatency
	default:
		return c, usage("--latency must be none or real")
	}
	for i := range f.accounts {
		a := tebratest.Account{
			CustomerKey: fmt.Sprintf("sim-customer-key-%d", i+1),
			User:        fmt.Sprintf("sim-%d@example.test", i+1),
			Password:    fmt.Sprintf("sim-password-%d", i+1),
		}
		for p := range f.practices {
			n := i*f.practices + p + 1
			a.Practices = append(a.Practices, tebratest.Practice{
				ID: n, Name: fmt.Sprintf("Example Practice %d", n), Zone: simZones[i%len(simZones)],
				Patients: f.patients, VisitsPerDay: f.visits,
			})
		}
		c.Accounts = append(c.Accounts, a)
	}
	return c, nil
}

// simReport is what sim says once it answers.
type simReport struct {
	Endpoint  string   `json:"endpoint"`
	Practices int      `json:"practices"`
	Files     []string `json:"files,omitempty"`
}

// sim serves until ctx ends, which is its ordinary end.
func (e *env) sim(ctx context.Context, f simFlags) error {
	c, err := f.config()
	if err != nil {
		return err
	}
	vendor, err := tebratest.New(c)
	if err != nil {
		return usage("%s", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", f.addr)
	if err != nil {
		return &failure{
			Exit: exitConflict, Code: "ADDRESS", What: "cannot listen on " + f.addr, cause: err,
			Means: "another program uses the address, or it is not one of this machine", Try: []string{"--addr 127.0.0.1:0"},
		}
	}
	report := simReport{Endpoint: "http://" + l.Addr().String() + tebratest.Path, Practices: len(vendor.Clinics())}
	if f.configDir != "" {
		report.Files, err = writeSimConfig(f.configDir, report.Endpoint, c.Accounts, e.getenv)
		if err != nil {
			return errors.Join(err, l.Close())
		}
	}
	if e.json {
		err = e.answer(report, nil)
	} else {
		e.announce(report, f.configDir)
	}
	if err != nil {
		return errors.Join(err, l.Close())
	}
	return serve(ctx, l, vendor)
}

func (e *env) announce(r simReport, dir string) {
	e.printf("the vendor's API, with %d practices and synthetic patients only: %s", r.Practices, r.Endpoint)
	for _, f := range r.Files {
		e.printf("wrote %s", f)
	}
	if dir != "" {
		e.printf("in another terminal: . %s", r.Files[0])
	}
	e.printf("interrupt to stop")
}

// simGrace is how long answers may take after the end was asked for; slower ones are cut, as the vendor's would be.
const simGrace = 2 * time.Second

// serve answers on l until ctx ends. A request has half a minute to arrive; answers may hang for as long as the caller waits.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(l) }()
	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	graceCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), simGrace)
	defer cancel()
	if srv.Shutdown(graceCtx) != nil {
		_ = srv.Close() // what is cut here is a simulated answer
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}

// simOperation is one row of "sim operations".
type simOperation struct {
	Name       string `json:"name"`
	Class      string `json:"class"`
	IntervalMS int64  `json:"interval_ms"`
	TimeoutMS  int64  `json:"timeout_ms"`
	Idempotent bool   `json:"idempotent"`
	PHI        bool   `json:"phi"`
	MaxDays    int    `json:"max_days,omitzero"`
	MaxRows    int    `json:"max_rows,omitzero"`
	PageRows   int    `json:"page_rows,omitzero"`
	Assumed    bool   `json:"assumed,omitzero"` // in no contract that we have read
}

func newSimOperations(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "operations",
		Short: "List the vendor's operations that the client speaks",
		Long:  "List the vendor's operations that the client speaks, one a line; --json adds what is known of each.",
		Args:  names(),
		RunE: func(*cobra.Command, []string) error {
			var rows []simOperation
			for _, o := range tebra.Operations() {
				rows = append(rows, simOperation{
					o.Name, o.Class.String(), o.Interval.Milliseconds(), o.Timeout.Milliseconds(), o.Idempotent, o.PHI, o.MaxDays,
					o.MaxRows, o.PageRows, o.Assumed,
				})
			}
			return e.answer(map[string]any{"operations": rows}, func(w io.Writer) {
				for _, o := range rows {
					_, _ = fmt.Fprintln(w, o.Name)
				}
			})
		},
	}
}

func newSimCapture(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "capture DIR",
		Short: "Write what the client sends and the simulator answers, per operation",
		Long: `Drive the client once through every operation, against a simulator of its own, and write
<Operation>.request.xml and <Operation>.response.xml into DIR, to be held against the vendor's schema.`,
		Args: names("DIR"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := tebratest.Capture(cmd.Context(), args[0]); err != nil {
				return err
			}
			var ops []string
			for _, o := range tebra.Operations() {
				ops = append(ops, o.Name)
			}
			doc := map[string]any{"dir": args[0], "operations": ops}
			return e.answer(doc, func(w io.Writer) {
				_, _ = fmt.Fprintf(w, "wrote requests and responses of %s into %s\n", strings.Join(ops, ", "), args[0])
			})
		},
	}
}
