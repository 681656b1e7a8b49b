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

// promise is one thing that every program keeps. kept returns what is wrong when p, in an environment of its own, does not.
type promise struct {
	name string
	kept func(ctx context.Context, p Program, vars map[string]string) error
}

var promises = []promise{
	{"every missing variable is named", namesWhatIsMissing},
	{"arguments are refused", refusesArguments},
	{"an address that is taken is named", namesTakenAddresses},
	{"a store that is gone is said in time", saysWhatIsGone},
	{"starts and stops", startsAndStops},
	{"told to stop before it starts", stopsBeforeStart},
	{"told to stop while a store is silent", stopsWhileStarting},
}

// Check tests every promise, each as a parallel subtest.
func (p Program) Check(t *testing.T) {
	t.Helper()
	for _, promise := range promises {
		t.Run(promise.name, func(t *testing.T) {
			t.Parallel()
			if err := promise.kept(t.Context(), p, p.Environment(t)); err != nil {
				t.Error(err)
			}
		})
	}
}

func namesWhatIsMissing(ctx context.Context, p Program, _ map[string]string) error {
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
	return errors.Join(o.want(2), o.says("arguments"))
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
		errs = append(errs, o.want(1), o.says(variable))
	}
	return errors.Join(errs...)
}

// password is in the addresses of stores, and must not be in what is said about them.
const password = "hush"

// A store is something that a program needs and reaches over the network.
type store struct {
	name    string // in logs
	address string // "%s" stands for host and port
}

// stores are those that programs have, by the variable that says where.
var stores = map[string]store{
	"ROUNDS_QUEUE_REDIS": {"queue redis", "redis://:" + password + "@%s/0"},
	"ROUNDS_CACHE_REDIS": {"cache redis", "redis://:" + password + "@%s/0"},
	"ROUNDS_LEDGER":      {"ledger", "postgres://rounds:" + password + "@%s/rounds"},
}

// gone is how long a program may take to say that a store is gone: five seconds, and one more on a machine that is busy.
const gone = 6 * time.Second

func saysWhatIsGone(ctx context.Context, p Program, vars map[string]string) error {
	silent, err := listen()
	if err != nil {
		return err
	}
	defer func() { _ = silent.Close() }()
	return p.eachStore(func(variable string, s store) error {
		var errs []error
		for _, at := range []string{"127.0.0.1:1", silent.Addr().String(), "nowhere.invalid:6379"} {
			o := p.End(ctx, with(vars, variable, fmt.Sprintf(s.address, at)))
			errs = append(errs, o.want(6), o.says(s.name))
			if o.Took > gone {
				errs = append(errs, fmt.Errorf("it took %s to say that nobody answers at %s, want five seconds", o.Took, at))
			}
			if strings.Contains(o.Stderr, password) {
				errs = append(errs, fmt.Errorf("it tells the password:\n%s", o.Stderr))
			}
		}
		return errors.Join(errs...)
	})
}

// moment is how long a program is watched, whether it goes on once it is ready.
const moment = 100 * time.Millisecond

func startsAndStops(ctx context.Context, p Program, vars map[string]string) error {
	r := p.begin(ctx, with(vars, "ROUNDS_HEALTH_ADDR", "127.0.0.1:0"))
	err := r.ready()
	if _, late := r.end(moment); err == nil && late == nil {
		err = fmt.Errorf("it ended without being told to:\n%s", r.Log)
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

// eachStore calls f for every store that the program needs, all at once, since most of their time is waiting.
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

func (o Outcome) says(text string) error {
	if !strings.Contains(o.Stderr, text) {
		return fmt.Errorf("it does not say %q:\n%s", text, o.Stderr)
	}
	return nil
}
