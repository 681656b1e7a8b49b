package progtest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"
	"time"
)

// check is one behavior that every program must have. run returns an error if p, in its own
// environment, lacks it.
type check struct {
	name string
	run  func(ctx context.Context, p Program, vars map[string]string) error
}

var checks = []check{
	{"names every missing variable", namesMissingVariables},
	{"refuses arguments", refusesArguments},
	{"names an address in use", namesTakenAddresses},
	{"reports an unreachable store in time", reportsUnreachableStores},
	{"starts and stops", startsAndStops},
	{"stops before it starts", stopsBeforeStart},
	{"stops while a store is silent", stopsWhileStarting},
}

// Check runs every check as a parallel subtest.
func (p Program) Check(t *testing.T) {
	t.Helper()
	for _, c := range checks {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.run(t.Context(), p, p.Environment(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func namesMissingVariables(ctx context.Context, p Program, _ map[string]string) error {
	o := p.End(ctx, nil)
	errs := []error{o.want(2)}
	for _, name := range p.Needs {
		if !strings.Contains(o.Stderr, name) {
			errs = append(errs, fmt.Errorf("%s is missing from:\n%s", name, o.Stderr))
		}
	}
	return errors.Join(errs...)
}

func refusesArguments(ctx context.Context, p Program, vars map[string]string) error {
	o := p.End(ctx, vars, "--verbose")
	return errors.Join(o.want(2), o.contains("arguments"))
}

func namesTakenAddresses(ctx context.Context, p Program, vars map[string]string) error {
	taken, err := listen()
	if err != nil {
		return err
	}
	defer func() { _ = taken.Close() }()
	var errs []error
	for _, variable := range p.Listens {
		o := p.End(ctx, with(vars, variable, taken.Addr().String()))
		errs = append(errs, o.want(1), o.contains(variable))
	}
	return errors.Join(errs...)
}

// password is part of the stores' addresses and must never be printed.
const password = "hush"

// store is a dependency that a program reaches over the network.
type store struct {
	name    string // in logs
	address string // "%s" stands for host and port
}

// stores are the dependencies that programs have, by the variable that holds the address.
var stores = map[string]store{
	"ROUNDS_QUEUE_REDIS": {"queue redis", "redis://:" + password + "@%s/0"},
	"ROUNDS_CACHE_REDIS": {"cache redis", "redis://:" + password + "@%s/0"},
	"ROUNDS_LEDGER":      {"ledger", "postgres://rounds:" + password + "@%s/rounds"},
}

// reportLimit is how long a program may take to report an unreachable store: five seconds, and one
// more for a busy machine.
const reportLimit = 6 * time.Second

func reportsUnreachableStores(ctx context.Context, p Program, vars map[string]string) error {
	silent, err := listen()
	if err != nil {
		return err
	}
	defer func() { _ = silent.Close() }()
	return p.eachStore(func(variable string, s store) error {
		var errs []error
		for _, at := range []string{"127.0.0.1:1", silent.Addr().String(), "nowhere.invalid:6379"} {
			o := p.End(ctx, with(vars, variable, fmt.Sprintf(s.address, at)))
			errs = append(errs, o.want(6), o.contains(s.name))
			if o.Took > reportLimit {
				errs = append(errs, fmt.Errorf("reporting that %s does not answer took %s, want five seconds", at, o.Took))
			}
			if strings.Contains(o.Stderr, password) {
				errs = append(errs, fmt.Errorf("the password is printed:\n%s", o.Stderr))
			}
		}
		return errors.Join(errs...)
	})
}

// observation is how long a program that is ready is observed to keep running.
const observation = 100 * time.Millisecond

func startsAndStops(ctx context.Context, p Program, vars map[string]string) error {
	r := p.begin(ctx, with(vars, "ROUNDS_HEALTH_ADDR", "127.0.0.1:0"))
	err := r.ready()
	if _, late := r.end(observation); err == nil && late == nil {
		err = fmt.Errorf("the program exited without a signal:\n%s", r.Log)
	}
	r.Signal()
	return errors.Join(err, r.ended(platform))
}

func stopsBeforeStart(ctx context.Context, p Program, vars map[string]string) error {
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	o := p.End(ctx, vars)
	return o.want(0)
}

func stopsWhileStarting(ctx context.Context, p Program, vars map[string]string) error {
	return p.eachStore(func(variable string, s store) error {
		silent, err := listen()
		if err != nil {
			return err
		}
		defer func() { _ = silent.Close() }()
		r := p.begin(ctx, with(vars, variable, fmt.Sprintf(s.address, silent.Addr())))
		giveUp := time.AfterFunc(patience, func() { _ = silent.Close() })
		defer giveUp.Stop()
		conn, err := silent.Accept()
		r.Signal()
		if err == nil {
			defer func() { _ = conn.Close() }()
		}
		return errors.Join(err, r.ended(platform))
	})
}

// eachStore calls f for every store that the program needs, concurrently, because most of the time
// is waiting.
func (p Program) eachStore(f func(variable string, s store) error) error {
	errs := make([]error, len(p.Needs))
	var all sync.WaitGroup
	for i, variable := range p.Needs {
		s, ok := stores[variable]
		if !ok {
			continue
		}
		all.Go(func() {
			if err := f(variable, s); err != nil {
				errs[i] = fmt.Errorf("%s: %w", variable, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// with returns vars with one variable set.
func with(vars map[string]string, variable, value string) map[string]string {
	vars = maps.Clone(vars)
	vars[variable] = value
	return vars
}

func (o Outcome) want(code int) error {
	if o.Code != code {
		return fmt.Errorf("exit %d, want %d:\n%s", o.Code, code, o.Stderr)
	}
	return nil
}

func (o Outcome) contains(text string) error {
	if !strings.Contains(o.Stderr, text) {
		return fmt.Errorf("%q is missing from the log:\n%s", text, o.Stderr)
	}
	return nil
}
