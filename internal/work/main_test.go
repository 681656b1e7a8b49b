package work

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/account"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const clinicA = tenant.ID("clinic-a")

var (
	monday  = civil.DateOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)) // today, unless a test moves on
	tuesday = monday.Add(1)
)

// bundle is one tenant with one practice, 7 in Chicago, and a vendor that tests can break on three
// levels: by the simulator's switches, by the gate in front of it, and by changing its answers.
type bundle struct {
	Deps
	router    *tasks.Router
	queue     *redis.Client
	keys      []byte
	vendor    *tebratest.Server
	clinic    *tebratest.Clinic
	now       time.Time
	intervals map[string]time.Duration // the last argument of Intervals
	retryWait time.Duration            // the result of Retry
	ofRecord  bool                     // the result of OfRecord
	gate      *gate
	line      *line
	log       bytes.Buffer
}

// gate admits every call unless refuse is set, and records the calls.
type gate struct {
	refuse error
	asked  []tebra.Call
}

func (g *gate) Enter(_ context.Context, c tebra.Call) (tebra.Pass, error) {
	g.asked = append(g.asked, c)
	if g.refuse != nil {
		return nil, g.refuse
	}
	return free{}, nil
}

type free struct{}

func (free) Confirm(context.Context) bool        { return true }
func (free) Done(context.Context, tebra.Outcome) {}

// line carries requests to the simulator, and lets a test change the answer.
type line struct {
	next   http.RoundTripper
	sent   string // the last request's body
	answer func(body string) string
}

func (l *line) RoundTrip(r *http.Request) (*http.Response, error) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	l.sent = string(sent)
	r.Body = io.NopCloser(bytes.NewReader(sent))
	resp, err := l.next.RoundTrip(r)
	if err != nil || l.answer == nil {
		return resp, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	changed := l.answer(string(body))
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewBufferString(changed)), int64(len(changed))
	return resp, nil
}

func setup(t *testing.T, change ...func(*tebratest.Config)) *bundle {
	t.Helper()
	b := &bundle{queue: redistest.New(t), keys: taskstest.Keys(t), now: time.Date(2026, 3, 2, 15, 0, 0, 0, time.UTC), gate: &gate{}}
	cfg := tebratest.Config{
		Seed: 1, Now: func() time.Time { return b.now }, Throttles: tebratest.Throttles{Off: true},
		Accounts: []tebratest.Account{{CustomerKey: "key", User: "user@example.test", Password: "password", Practices: []tebratest.Practice{
			{ID: 7, Name: "Seventh Practice", Zone: "America/Chicago", Patients: 30, VisitsPerDay: 10},
		}}},
	}
	for _, c := range change {
		c(&cfg)
	}
	vendor, err := tebratest.New(cfg)
	must(t, err)
	b.vendor, b.clinic = vendor, vendor.Clinics()[0]
	b.line = &line{next: vendor.Client().Transport}
	b.Store = b.store(t)
	b.Tasks, err = tasks.NewClient(tasks.ClientOptions{Redis: b.queue, Keys: b.keys})
	must(t, err)
	b.Ledger = b.ledger(t)
	b.Account, b.Reload = b.account(t)
	b.Intervals = func(_ context.Context, id tenant.ID, by map[string]time.Duration) error {
		if id != clinicA {
			return errors.New("intervals of another tenant")
		}
		b.intervals = by
		return nil
	}
	b.Retry = func(context.Context, tenant.ID, string) time.Duration { return b.retryWait }
	b.OfRecord = func(tenant.ID, string, uint64) bool { return b.ofRecord }
	b.Now = func() time.Time { return b.now }
	b.Calendar = func(t time.Time) time.Time { return b.now.Add(time.Until(t)) }
	b.Logger = logging.New(&b.log, logging.Options{JSON: true})
	b.router, err = tasks.NewRouter(tasks.RouterOptions{Keys: b.keys})
	must(t, err)
	must(t, Register(b.router, b.Deps))
	b.identify(t, practice.Identity{Name: "Seventh Practice"})
	return b
}

func (b *bundle) store(t *testing.T) *practice.Store {
	t.Helper()
	keys, err := phi.Parse(b.keys)
	must(t, err)
	data, err := phi.NewDataKey()
	must(t, err)
	c, err := cache.New(cache.Options{
		Redis: redistest.New(t), Sealer: keys.For,
		Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
	})
	must(t, err)
	return practice.NewStore(c, keys)
}

func (b *bundle) ledger(t *testing.T) *ledger.Ledger {
	t.Helper()
	l := ledgertest.New(t)
	_, err := l.ApplyTenants(t.Context(), []ledger.Tenant{{
		ID: clinicA, TimeZone: "America/Chicago", Credentials: []byte("sealed"), Practices: []ledger.Practice{{ID: "7", Name: "Seventh Practice"}},
	}})
	must(t, err)
	return l
}

// account returns the account as it was last read from the ledger, and what reads it.
func (b *bundle) account(t *testing.T) (known, reload func(context.Context, tenant.ID) (*account.Account, error)) {
	t.Helper()
	client, err := tebra.New(tebra.Options{
		Account: clinicA.String(), HTTPClient: &http.Client{Transport: b.line}, Gate: b.gate,
		Credentials: tebra.Credentials{CustomerKey: "key", User: "user@example.test", Password: "password"},
	})
	must(t, err)
	now := &account.Account{Vendor: client}
	known = func(_ context.Context, id tenant.ID) (*account.Account, error) {
		if id != clinicA {
			return nil, tasks.Permanent(codes.UnknownTenant)
		}
		return now, nil
	}
	reload = func(ctx context.Context, id tenant.ID) (*account.Account, error) {
		if id != clinicA {
			return nil, tasks.Permanent(codes.UnknownTenant)
		}
		row, err := b.Ledger.Tenant(ctx, id)
		now.TimeZone, now.Practices = row.TimeZone, row.Practices
		return now, err
	}
	_, err = reload(t.Context(), clinicA)
	must(t, err)
	return known, reload
}

// identify records what the vendor stated about practice 7 just now.
func (b *bundle) identify(t *testing.T, i practice.Identity) {
	t.Helper()
	since, err := b.Store.Begin(t.Context(), clinicA)
	must(t, err)
	must(t, b.Store.SetIdentity(t.Context(), clinicA, "7", i, since))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// run is one attempt of a task of clinic-a, through the router as in a worker.
func (b *bundle) run(t *testing.T, args tasks.Args, opts ...tasks.Option) tasks.Outcome {
	t.Helper()
	return b.deliver(t, b.sealed(t, clinicA.String(), args, opts...))
}

func (b *bundle) sealed(t *testing.T, tenant string, args tasks.Args, opts ...tasks.Option) tasks.Delivery {
	t.Helper()
	d, err := b.Tasks.Seal(t.Context(), tenant, args, opts...)
	must(t, err)
	return d
}

func (b *bundle) deliver(t *testing.T, d tasks.Delivery) tasks.Outcome {
	t.Helper()
	return tasks.OutcomeOf(b.router.Deliver(t.Context(), d))
}

// done runs a task that must succeed.
func (b *bundle) done(t *testing.T, args tasks.Args) {
	t.Helper()
	want(t, b.run(t, args), tasks.OutcomeDone, "")
}

func want(t *testing.T, o tasks.Outcome, state string, code tasks.Code) {
	t.Helper()
	if o.State != state || o.Code != code {
		t.Fatalf("outcome %s %s, want %s %s", o.State, o.Code, state, code)
	}
}

// demands empties the queue and compares what was in it, in any order. Tasks scheduled for later
// stay.
func (b *bundle) demands(t *testing.T, want ...string) {
	t.Helper()
	router, err := tasks.NewRouter(tasks.RouterOptions{Redis: b.queue, Keys: b.keys})
	must(t, err)
	var mu sync.Mutex
	got := []string{}
	record := func(lane, format string, args ...any) error {
		mu.Lock()
		defer mu.Unlock()
		got = append(got, lane+" "+fmt.Sprintf(format, args...))
		return nil
	}
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncSchedule](func(_ context.Context, j *tasks.Job[tasks.SyncSchedule]) error {
		return record(j.Lane, "schedule %s %s..%s", j.Args.Practice, j.Args.From, j.Args.To)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncPatient](func(_ context.Context, j *tasks.Job[tasks.SyncPatient]) error {
		return record(j.Lane, "patient %s %s", j.Args.Practice, j.Args.Patient.Reveal())
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncDirectory](func(_ context.Context, j *tasks.Job[tasks.SyncDirectory]) error {
		return record(j.Lane, "directory %s", j.Args.Practice)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.WarmView](func(_ context.Context, j *tasks.Job[tasks.WarmView]) error {
		return record(j.Lane, "%s %s %s%s", j.Args.View, j.Args.Practice, j.Args.Date, strings.TrimRight(" "+j.Args.Provider+j.Args.Patient.Reveal(), " "))
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncAppointment](func(_ context.Context, j *tasks.Job[tasks.SyncAppointment]) error {
		return record(j.Lane, "appointment %s %s", j.Args.Practice, j.Args.Appointment.Reveal())
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncPatients](func(_ context.Context, j *tasks.Job[tasks.SyncPatients]) error {
		return record(j.Lane, "patients %s from %q, %d days", j.Args.Practice, j.Args.From, j.Args.Days)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SweepPatients](func(_ context.Context, j *tasks.Job[tasks.SweepPatients]) error {
		rows := ""
		if j.Args.Rows > 0 {
			rows = fmt.Sprintf(", %d rows", j.Args.Rows)
		}
		if j.Args.Unread > 0 {
			rows += fmt.Sprintf(", %d unread", j.Args.Unread)
		}
		return record(j.Lane, "sweep %s from %q since %q%s", j.Args.Practice, j.Args.Page.Reveal(), j.Args.Begun, rows)
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncPractices](func(_ context.Context, j *tasks.Job[tasks.SyncPractices]) error {
		return record(j.Lane, "practices")
	}))
	tasks.Handle(router, tasks.WorkerFunc[tasks.SyncLocations](func(_ context.Context, j *tasks.Job[tasks.SyncLocations]) error {
		return record(j.Lane, "locations %s", j.Args.Practice)
	}))
	taskstest.Drain(t, b.queue, router)
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(append([]string{}, want...), got); diff != "" {
		t.Fatalf("demands (-want +got):\n%s", diff)
	}
}

// of returns the demand for each patient with a visit on one of the days.
func (b *bundle) of(days ...civil.Date) []string {
	seen := map[string]bool{}
	var out []string
	for _, d := range days {
		for _, v := range b.visits(d) {
			if !seen[v.PatientID] {
				seen[v.PatientID] = true
				out = append(out, "sync patient 7 "+v.PatientID)
			}
		}
	}
	return out
}

func (b *bundle) visits(d civil.Date) []tebratest.Visit {
	return b.clinic.Appointments(d.In(b.clinic.Location()))
}

func (b *bundle) board(t *testing.T, d civil.Date) practice.BoardRead {
	t.Helper()
	r, err := b.Store.Board(t.Context(), clinicA, "7", d)
	must(t, err)
	return r
}

func (b *bundle) cold(t *testing.T, d civil.Date) {
	t.Helper()
	if _, err := b.Store.Board(t.Context(), clinicA, "7", d); !errors.Is(err, practice.ErrCold) {
		t.Errorf("the day is cached (%v)", err)
	}
}

// calls counts the requests that the simulator has answered.
func (b *bundle) calls() int { return len(b.vendor.Calls(0)) }

// days is the demand for a window.
func days(from, to civil.Date) tasks.SyncSchedule {
	return tasks.SyncSchedule{Practice: "7", From: from, To: to}
}

// without removes the first element called name.
func without(body, name string) string {
	before, rest, _ := strings.Cut(body, "<"+name+">")
	_, after, _ := strings.Cut(rest, "</"+name+">")
	return before + after
}

// closed returns a Redis client that is closed.
func closed(t *testing.T) *redis.Client {
	t.Helper()
	rdb := redistest.New(t)
	must(t, rdb.Close())
	return rdb
}
