package outages

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/gateway"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	owner  = tenant.ID("clinic-a")
	apiKey = "rounds_KEY-OF-A-BENCH"
	zone   = "America/Chicago"
	// practices have a watermark each in the ledger. The first has the patients whose cards are
	// built.
	practices = 20
	workers   = 2
)

// system is a whole system: servers behind proxies, a simulated vendor, a gateway and workers.
type system struct {
	queue, cache *redisServer
	ledger       *postgres
	clinic       *tebratest.Clinic
	settings     config.Base
	endpoint     string
	tools        *app.Tools // past the proxies
	gateway      string
	client       http.Client

	closers []func() error
	stop    func() // ends the workers

	mu   sync.Mutex
	runs []ended
}

// ended is a run that ended.
type ended struct {
	app.Run
	at time.Time
}

// over reports whether the run was the last of its task.
func (e ended) over() bool {
	s := e.Outcome.State
	return s == tasks.OutcomeDone || s == tasks.OutcomeDead || s == tasks.OutcomeExpired
}

func newSystem(ctx context.Context, patients int) (_ *system, err error) {
	s := &system{client: http.Client{Timeout: 10 * time.Second}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	dir, err := os.MkdirTemp("", "rounds-outages-")
	if err != nil {
		return nil, err
	}
	s.closers = append(s.closers, func() error { return os.RemoveAll(dir) })
	if s.queue, err = startRedis(ctx); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.queue.close)
	if s.cache, err = startRedis(ctx); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.cache.close)
	if s.ledger, err = startPostgres(ctx, filepath.Join(dir, "l")); err != nil {
		return nil, err
	}
	s.closers = append(s.closers, s.ledger.close)
	if err := s.configure(patients); err != nil {
		return nil, err
	}
	return s, s.open(ctx)
}

func (s *system) configure(patients int) error {
	account := tebratest.Account{CustomerKey: "key-of-a-bench", User: "user@example.test", Password: "password-of-a-bench"}
	row := config.Tenant{ID: owner.String(), TimeZone: zone, Credentials: config.Credentials{
		CustomerKey: secret.Value(account.CustomerKey), User: secret.Value(account.User), Password: secret.Value(account.Password),
	}}
	for i := range practices {
		p := tebratest.Practice{ID: i + 1, Name: "Practice " + strconv.Itoa(i+1), Zone: zone, Patients: 2, VisitsPerDay: 1}
		if i == 0 {
			p.Patients, p.VisitsPerDay = patients, 20
		}
		account.Practices = append(account.Practices, p)
		row.Practices = append(row.Practices, config.Practice{ID: strconv.Itoa(p.ID), Name: p.Name, TimeZone: zone})
	}
	vendor, err := tebratest.New(tebratest.Config{Seed: 1, Throttles: tebratest.Throttles{Off: true}, Accounts: []tebratest.Account{account}})
	if err != nil {
		return err
	}
	srv := httptest.NewServer(vendor)
	s.closers = append(s.closers, func() error { srv.Close(); return nil })
	keys, err := phi.Generate()
	if err != nil {
		return err
	}
	keyset, err := keys.JSON()
	if err != nil {
		return err
	}
	s.clinic, s.endpoint = vendor.Clinics()[0], srv.URL+tebratest.Path
	s.settings = config.Base{
		Mode: config.Dev, Keyset: secret.Value(keyset), Tenants: []config.Tenant{row}, LedgerURL: secret.Value(s.ledger.url()),
		Redis: config.Redis{Queue: secret.Value(s.queue.url()), Cache: secret.Value(s.cache.url())},
	}
	return nil
}

// open opens the tools and starts the gateway.
func (s *system) open(ctx context.Context) (err error) {
	direct := s.settings
	direct.Redis = config.Redis{Queue: secret.Value(s.queue.URL(0)), Cache: secret.Value(s.cache.URL(0))}
	if s.tools, err = app.OpenTools(ctx, app.Process{}, direct); err != nil {
		return err
	}
	s.closers = append(s.closers, func() error { return s.tools.Close(context.WithoutCancel(ctx)) })
	if err := s.quicken(ctx); err != nil {
		return err
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		return err
	}
	g, err := app.NewGateway(ctx, app.GatewayOptions{
		Config: config.Gateway{
			Base: s.settings, Addr: address, Keys: []access.Key{{Name: "bench", Tenant: owner, Digest: access.DigestOf(apiKey)}},
		},
		Limits: gateway.Limits{Rate: 1e6, Burst: 1e6}, // the bench reads all the time
	})
	if err != nil {
		return err
	}
	stop := running(ctx, g.Run)
	s.closers = append(s.closers, func() error { stop(); return nil })
	s.gateway = "http://" + address
	return nil
}

// quicken lets the vendor be called without pauses: the bench is about our stores.
func (s *system) quicken(ctx context.Context) error {
	f, err := flow.New(flow.Options{Redis: s.tools.Queue})
	if err != nil {
		return err
	}
	intervals := map[string]time.Duration{}
	for _, operation := range []string{"GetAppointments", "GetAppointment", "GetPatient", "GetPatients", "GetAllPatients", "GetPractices", "GetProviders", "GetServiceLocations"} {
		intervals[operation] = time.Millisecond
	}
	return f.SetIntervals(ctx, owner, intervals)
}

// running runs a process until the returned function is called.
func running(ctx context.Context, process func(context.Context) error) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); _ = process(ctx) }() // its work is what the bench measures
	return func() { cancel(); <-done }
}

// work replaces the workers by new ones, which have read nothing from the ledger yet.
func (s *system) work(ctx context.Context) error {
	s.rest()
	var stops []func()
	s.stop = func() {
		var all sync.WaitGroup
		for _, stop := range stops {
			all.Go(stop)
		}
		all.Wait()
	}
	for range workers {
		w, err := app.NewWorker(ctx, app.WorkerOptions{Config: config.Worker{Base: s.settings, Endpoint: s.endpoint}, Ended: s.ended})
		if err != nil {
			return err
		}
		stops = append(stops, running(ctx, w.Run))
	}
	return nil
}

func (s *system) rest() {
	if s.stop != nil {
		s.stop()
		s.stop = nil
	}
}

func (s *system) ended(_ context.Context, r app.Run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.runs = append(s.runs, ended{r, time.Now()})
}

// take returns the runs since the last call.
func (s *system) take() []ended {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.runs
	s.runs = nil
	return out
}

func (s *system) close() error {
	s.rest()
	var err error
	for _, closer := range slices.Backward(s.closers) {
		err = errors.Join(err, closer())
	}
	return err
}

// card reads a patient's card through the gateway.
func (s *system) card(ctx context.Context, id string) (card, error) {
	return read(ctx, &s.client, fmt.Sprintf("%s/v1/patients/%s?practice=1", s.gateway, id))
}
