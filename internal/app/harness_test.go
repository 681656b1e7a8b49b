package app

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestMain(m *testing.M) {
	// The tests compute little: they wait for the vendor's pace, for ticks and for restarted
	// servers. A -parallel flag on the command line overrides this one.
	_ = flag.Set("test.parallel", "6")
	redistest.Main(m)
}

const clinicA = tenant.ID("clinic-a")

// lines is a log that many goroutines write to.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) bytes() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return bytes.Clone(l.b.Bytes())
}

// count returns how many lines there are.
func (l *lines) count() int { return bytes.Count(l.bytes(), []byte("\n")) }

// system is a whole small system for one test: a simulated vendor with one account, both Redis
// servers and a ledger.
type system struct {
	vendor   *tebratest.Server
	settings config.Base
	endpoint string
	dir      string
	arrived  atomic.Int64                  // requests that reached the vendor
	hold     atomic.Pointer[chan struct{}] // if set, requests wait until it is closed
}

// build returns a system with practices 1 and 2 in Chicago. The functions may change the
// simulator's configuration.
func build(t *testing.T, change ...func(*tebratest.Config)) *system {
	t.Helper()
	cfg := tebratest.Config{
		Seed: 1, Throttles: tebratest.Throttles{Scale: 0.05},
		Accounts: []tebratest.Account{{CustomerKey: "key-of-a-test", User: "user@example.test", Password: "password-of-a-test", Practices: []tebratest.Practice{
			{ID: 1, Name: "First Practice", Zone: "America/Chicago", Patients: 12, VisitsPerDay: 6},
			{ID: 2, Name: "Second Practice", Zone: "America/Chicago", Patients: 12, VisitsPerDay: 6},
		}}},
	}
	for _, c := range change {
		c(&cfg)
	}
	vendor, err := tebratest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	sys := &system{vendor: vendor}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		sys.arrived.Add(1)
		if hold := sys.hold.Load(); hold != nil {
			// A server notices a disconnected client only after it has read the request.
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
			select {
			case <-*hold:
			case <-r.Context().Done():
			}
		}
		vendor.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	sys.endpoint, sys.dir = srv.URL+tebratest.Path, t.TempDir()
	account := cfg.Accounts[0]
	row := config.Tenant{ID: clinicA.String(), TimeZone: "America/Chicago", Credentials: config.Credentials{
		CustomerKey: secret.Value(account.CustomerKey), User: secret.Value(account.User), Password: secret.Value(account.Password),
	}}
	for _, p := range account.Practices {
		row.Practices = append(row.Practices, config.Practice{ID: strconv.Itoa(p.ID), Name: p.Name, TimeZone: p.Zone})
	}
	sys.settings = config.Base{
		Mode: config.Dev, Redis: config.Redis{Queue: secret.Value(redistest.URL(t)), Cache: secret.Value(redistest.URL(t))},
		LedgerURL: secret.Value("sqlite:" + filepath.Join(sys.dir, "ledger.db")), Keyset: secret.Value(keyset),
		Tenants: []config.Tenant{row},
	}
	return sys
}

// block makes the vendor hold its responses until release is called or the test ends.
func (sys *system) block(t *testing.T) (release func()) {
	t.Helper()
	hold := make(chan struct{})
	sys.hold.Store(&hold)
	release = sync.OnceFunc(func() { sys.hold.Store(nil); close(hold) })
	t.Cleanup(release)
	return release
}

// options are the options of a worker in the system.
func (sys *system) options() WorkerOptions {
	return WorkerOptions{
		Config: config.Worker{Base: sys.settings, Endpoint: sys.endpoint},
		Flow: func(o *flow.Options) {
			o.Breakers.Open, o.Breakers.MaxOpen, o.Breakers.Ramp = 300*time.Millisecond, time.Second, 300*time.Millisecond
		},
	}
}

// work runs a worker until the test ends or the returned function is called, which waits for it.
func (sys *system) work(t *testing.T, change ...func(*WorkerOptions)) (stop func()) {
	t.Helper()
	o := sys.options()
	for _, c := range change {
		c(&o)
	}
	w, err := NewWorker(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return run(t, w.Run)
}

// run runs a process until the test ends or the returned function is called.
func run(t *testing.T, process func(context.Context) error) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- process(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		began := time.Now()
		if err := <-done; err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("process ended with %v", err)
		}
		if took := time.Since(began); took > grace {
			t.Errorf("stopping took %v", took)
		}
	}
	t.Cleanup(stop)
	return stop
}

// tools opens an operator's tools.
func (sys *system) tools(t *testing.T) *Tools {
	t.Helper()
	tools, err := OpenTools(t.Context(), Process{}, sys.settings)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tools.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return tools
}

func (sys *system) clinic() *tebratest.Clinic { return sys.vendor.Clinics()[0] }

// today is the first practice's day, by the simulator's clock.
func (sys *system) today() time.Time { return time.Now().In(sys.clinic().Location()) }

// demand enqueues a sync of the first practice's day.
func (sys *system) demand(t *testing.T, tools *Tools) tasks.Receipt {
	t.Helper()
	d := tasks.DateOf(sys.today())
	r, err := tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: d, To: d})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// ends waits until a task is in the state.
func (sys *system) ends(t *testing.T, tools *Tools, id string, state tasks.State) {
	t.Helper()
	eventually(t, func() error {
		s, err := tools.Tasks.Status(t.Context(), id)
		if err == nil && s.State != state {
			err = fmt.Errorf("%s: %s %s", state, s.State, string(s.Code))
		}
		return err
	})
}

// board waits until the first practice's board is as wanted.
func (sys *system) board(t *testing.T, tools *Tools, want func(practice.BoardRead) error) practice.BoardRead {
	t.Helper()
	var r practice.BoardRead
	eventually(t, func() (err error) {
		r, err = tools.Store.Board(t.Context(), clinicA, "1", civil.DateOf(sys.today().In(sys.clinic().Location())))
		if err == nil {
			err = want(r)
		}
		return err
	})
	return r
}

// full accepts a board of n visits whose patients are all known.
func full(n int) func(practice.BoardRead) error {
	return func(r practice.BoardRead) error {
		if len(r.Board.Rows) != n || r.Unknown > 0 || r.Missing > 0 {
			return errors.New("rows " + strconv.Itoa(len(r.Board.Rows)) + ", unknown " + strconv.Itoa(r.Unknown))
		}
		return nil
	}
}

// eventually repeats try until it returns nil. After 90 s it fails the test with the last error.
func eventually(t *testing.T, try func() error) {
	t.Helper()
	limit := time.NewTimer(90 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatalf("still not: %v", err)
		}
	}
}
