package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/zone"
)

// simFlags configure the simulator.
type simFlags struct {
	addr                                  string
	seed                                  int64
	accounts, practices, patients, visits int
	latency                               string
	zones                                 []string
	configDir                             string
	odd                                   []string
}

// realLatency is the measured latency of the vendor's list calls.
var realLatency = tebratest.Latency{P50: 2500 * time.Millisecond, P95: 6600 * time.Millisecond}

func newSim(e *env) *cobra.Command {
	var f simFlags
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Serve a simulated vendor with synthetic patients",
		Long: `Serve a simulator of the vendor's API, with synthetic patients only, until interrupted.

--write-config creates everything that worker, scheduler and gateway need to run against the simulator: a keyset, the
tenants, an API key and an environment file to source. It writes to the folder before serving. An existing keyset is
kept, and other files are overwritten. Redis URLs come from the environment; by default, one local server is used.`,
		Example: `  rounds sim --write-config ./local
  # in another terminal
  . ./local/rounds.env
  go run ./cmd/worker`,
		Args:        names(),
		Annotations: map[string]string{untimed: "true"},
		RunE:        func(cmd *cobra.Command, _ []string) error { return e.sim(cmd.Context(), f) },
	}
	cmd.Flags().StringVar(&f.addr, "addr", "127.0.0.1:8095", "address to listen on; port 0 selects a free port")
	cmd.Flags().Int64Var(&f.seed, "seed", 1, "the same seed gives the same patients and visits")
	cmd.Flags().IntVar(&f.accounts, "accounts", 1, "number of accounts; each is a tenant, in varying time zones")
	cmd.Flags().StringSliceVar(&f.zones, "zones", nil, "time zones of the practices, in turn; by default those of an account share one")
	cmd.Flags().IntVar(&f.practices, "practices", 2, "number of practices per account")
	cmd.Flags().IntVar(&f.patients, "patients", 3000, "number of patients per practice")
	cmd.Flags().IntVar(&f.visits, "visits", 90, "visits per day and practice")
	cmd.Flags().StringVar(&f.latency, "latency", "none", "none, or real for the vendor's latency")
	cmd.Flags().StringSliceVar(&f.odd, "odd", nil, `oddities of responses, as listed by "rounds sim oddities", or all`)
	cmd.Flags().StringVar(&f.configDir, "write-config", "", "folder for rounds.env, tenants.yaml, rounds.keys and apikeys")
	cmd.AddCommand(newSimOperations(e), newSimOddities(e), newSimCapture(e))
	return cmd
}

// simZones are assigned to accounts in turn, unless --zones is given.
var simZones = []string{"America/Chicago", "America/New_York", "America/Los_Angeles", "America/Denver", "America/Phoenix"}

func (f simFlags) config() (tebratest.Config, error) {
	c := tebratest.Config{Seed: f.seed}
	switch {
	case f.accounts < 1 || f.accounts > 1000 || f.practices < 1 || f.practices > 100:
		return c, usage("--accounts must be from 1 to 1000, --practices from 1 to 100")
	case f.patients < 1 || f.visits < 1:
		return c, usage("--patients and --visits must be at least 1")
	}
	for _, name := range f.zones {
		if _, err := zone.Load(name); err != nil {
			return c, usage("--zones must be IANA names such as America/Chicago")
		}
	}
	switch f.latency {
	case "none":
	case "real":
		c.Latency = realLatency
	default:
		return c, usage("--latency must be none or real")
	}
	for _, name := range f.odd {
		if name == "all" {
			c.Odd = tebratest.OddityNames()
			break
		}
		c.Odd = append(c.Odd, tebratest.Oddity(name))
	}
	for i := range f.accounts {
		a := tebratest.Account{
			CustomerKey: fmt.Sprintf("sim-customer-key-%d", i+1),
			User:        fmt.Sprintf("sim-%d@example.test", i+1),
			Password:    fmt.Sprintf("sim-password-%d", i+1),
		}
		for p := range f.practices {
			n := i*f.practices + p + 1
			there := simZones[i%len(simZones)]
			if len(f.zones) > 0 {
				there = f.zones[(n-1)%len(f.zones)]
			}
			a.Practices = append(a.Practices, tebratest.Practice{
				ID: n, Name: fmt.Sprintf("Example Practice %d", n), Zone: there,
				Patients: f.patients, VisitsPerDay: f.visits,
			})
		}
		c.Accounts = append(c.Accounts, a)
	}
	return c, nil
}

// simReport is the result of sim, printed when it serves.
type simReport struct {
	Endpoint  string   `json:"endpoint"`
	Practices int      `json:"practices"`
	Files     []string `json:"files,omitempty"`
}

// sim serves until ctx ends, which is the normal case.
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
			Means: "the address is in use, or does not belong to this host", Try: []string{"--addr 127.0.0.1:0"},
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
	e.printf("simulated vendor with %d practices and synthetic patients: %s", r.Practices, r.Endpoint)
	for _, f := range r.Files {
		e.printf("wrote %s", f)
	}
	if dir != "" {
		e.printf("in another terminal: . %s", r.Files[0])
	}
	e.printf("interrupt to stop")
}

// simGrace is how long responses may take after ctx has ended. Slower ones are cut off.
const simGrace = 2 * time.Second

// serve serves on l until ctx ends. A request must arrive within 30 seconds; a response may take as
// long as the client waits.
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
		_ = srv.Close() // simulated responses may be cut off
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("serve: %w", err)
	}
	return nil
}
