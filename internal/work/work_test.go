package work

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
	"github.com/workflow-bolt/rounds/tasks/taskstest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// The account has one practice; taskstest runs tasks for this tenant.
const clinicA = tenant.ID(taskstest.Tenant)

type bundle struct {
	Deps
	queue  *redis.Client
	keys   []byte
	vendor *tebratest.Server
	clinic *tebratest.Clinic
	now    time.Time
	gate   *gate
}

// gate lets everything through unless it is told to refuse.
type gate struct{ refuse error }

func (g *gate) Enter(context.Context, tebra.Call) (tebra.Pass, error) {
	if g.refuse != nil {
		return nil, g.refuse
	}
	return free{}, nil
}

type free struct{}

func (free) SendBy() time.Time                   { return time.Time{} }
func (free) Done(context.Context, tebra.Outcome) {}

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
	var err error
	if b.vendor, err = tebratest.New(cfg); err != nil {
		t.Fatal(err)
	}
	b.clinic = b.vendor.Clinics()[0]
	keys, err := phi.Parse(b.keys)
	if err != nil {
		t.Fatal(err)
	}
	data, err := phi.NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	c, err := cache.New(cache.Options{
		Redis: redistest.New(t), Sealer: keys.For,
		Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return data, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	b.Store = practice.NewStore(c, keys)
	if b.Tasks, err = tasks.NewClient(tasks.ClientOptions{Redis: b.queue, Keys: b.keys}); err != nil {
		t.Fatal(err)
	}
	if b.Ledger, err = ledger.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "ledger.db")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Ledger.Close() })
	practices := []ledger.Practice{{ID: "7", Name: "Seventh Practice"}}
	_, err = b.Ledger.ApplyTenants(migrated(t, b.Ledger), []ledger.Tenant{{
		ID: clinicA, TimeZone: "America/Chicago", Credentials: []byte("sealed"), Practices: practices,
	}})
	if err != nil {
		t.Fatal(err)
	}
	client, err := tebra.New(tebra.Options{
		Account: clinicA.String(), HTTPClient: b.vendor.Client(), Gate: b.gate,
		Credentials: tebra.Credentials{CustomerKey: "key", User: "user@example.test", Password: "password"},
	})
	if err != nil {
		t.Fatal(err)
	}
	account := &Account{Vendor: client, Zone: b.clinic.Location(), Practices: practices}
	b.Account = func(_ context.Context, id tenant.ID) (*Account, error) {
		if id != clinicA {
			return nil, tasks.Permanent(errors.New("unknown_tenant"))
		}
		return account, nil
	}
	b.Now = func() time.Time { return b.now }
	return b
}

func migrated(t *testing.T, l *ledger.Ledger) context.Context {
	t.Helper()
	if err := l.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return t.Context()
}

func on(text string) tasks.Date {
	d, err := tasks.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return d
}

const monday = "2026-03-02"

func today() tasks.SyncSchedule {
	return tasks.SyncSchedule{Practice: "7", From: on(monday), To: on(monday)}
}

func (b *bundle) sync(t *testing.T, args tasks.SyncSchedule, opts ...taskstest.Option) taskstest.Result {
	t.Helper()
	return taskstest.Work(t, tasks.WorkerFunc[tasks.SyncSchedule](b.syncSchedule), args, opts...)
}

func (b *bundle) patient(t *testing.T, id string) taskstest.Result {
	t.Helper()
	return taskstest.Work(t, tasks.WorkerFunc[tasks.SyncPatient](b.syncPatient), tasks.SyncPatient{Practice: "7", Patient: tasks.PatientID(id)})
}

func want(t *testing.T, r taskstest.Result, state, code string) {
	t.Helper()
	if r.State != state || r.Code != code {
		t.Fatalf("%s %s, want %s %s", r.State, r.Code, state, code)
	}
}

// waiting counts the tasks of a kind in the queue.
func (b *bundle) waiting(t *testing.T, kind string) int {
	t.Helper()
	var n int
	keys, err := b.queue.Keys(t.Context(), "asynq:{*}:t:*").Result()
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		msg, err := b.queue.HGet(t.Context(), k, "msg").Result()
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(msg, kind) { // the kind stands in clear in asynq's message
			n++
		}
	}
	return n
}

func (b *bundle) forget(t *testing.T) {
	t.Helper()
	if err := b.queue.FlushDB(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}

func (b *bundle) board(t *testing.T, d practice.Date) practice.BoardRead {
	t.Helper()
	r, err := b.Store.Board(t.Context(), clinicA, "7", d)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bundle) people(t *testing.T, day time.Time) int {
	t.Helper()
	seen := map[string]bool{}
	for _, v := range b.clinic.Appointments(day) {
		seen[v.PatientID] = true
	}
	return len(seen)
}

func TestFirstLookFillsTheDayAndAsksForWhatFollows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	if r := b.board(t, monday); len(r.Board.Rows) != 10 || r.Unknown != 10 {
		t.Errorf("%d rows, %d unknown", len(r.Board.Rows), r.Unknown)
	}
	if got, people := b.waiting(t, "patient.sync"), b.people(t, b.now.In(b.clinic.Location())); got != people {
		t.Errorf("%d patients are to be fetched, the day has %d", got, people)
	}
	taskstest.RequireEnqueued[tasks.WarmView](t, b.queue, b.keys, taskstest.Want{})
	if at, ok, err := b.Ledger.Watermark(t.Context(), clinicA, "schedule/7"); err != nil || !ok || !at.Equal(b.now) {
		t.Errorf("watermark %v, %v, %v", at, ok, err)
	}
	for _, v := range b.clinic.Appointments(b.now.In(b.clinic.Location())) {
		want(t, b.patient(t, v.PatientID), tasks.OutcomeDone, "")
	}
	if r := b.board(t, monday); r.Unknown != 0 {
		t.Errorf("%d unknown after all records came", r.Unknown)
	}
	b.forget(t)
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	if n := b.waiting(t, "patient.sync") + b.waiting(t, "view.warm"); n != 0 {
		t.Errorf("an unchanged day asked for %d more tasks", n)
	}
}

func TestPeopleAreFetchedForTodayAndTomorrowOnly(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want(t, b.sync(t, tasks.SyncSchedule{Practice: "7", From: on("2026-03-04"), To: on("2026-03-06")}), tasks.OutcomeDone, "")
	if n := b.waiting(t, "patient.sync"); n != 0 {
		t.Errorf("%d patients of days that nobody looks at yet", n)
	}
	want(t, b.sync(t, tasks.SyncSchedule{Practice: "7", From: on("2026-03-03"), To: on("2026-03-03")}), tasks.OutcomeDone, "")
	if b.waiting(t, "patient.sync") == 0 {
		t.Error("nobody of tomorrow is fetched")
	}
}

func TestALongWindowBecomesSeveralRuns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want(t, b.sync(t, tasks.SyncSchedule{Practice: "7", From: on("2026-03-01"), To: on("2026-05-02")}), tasks.OutcomeDone, "")
	if n := b.waiting(t, "schedule.sync"); n != 3 {
		t.Errorf("63 days became %d runs", n)
	}
	if n := len(b.vendor.Calls(0)); n != 0 {
		t.Errorf("splitting made %d calls", n)
	}
}

func TestADoubtfulAnswerIsLookedAtTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	b.forget(t)
	for _, v := range b.clinic.Appointments(b.now.In(b.clinic.Location()))[:8] {
		if err := b.clinic.Delete(v.ID); err != nil {
			t.Fatal(err)
		}
	}
	mark, _, err := b.Ledger.Watermark(t.Context(), clinicA, "schedule/7")
	if err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(time.Minute)
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	if r := b.board(t, monday); len(r.Board.Rows) != 10 {
		t.Errorf("%d rows are left after one doubtful answer", len(r.Board.Rows))
	}
	if n := b.waiting(t, "schedule.sync"); n != 1 {
		t.Errorf("%d second looks wait", n)
	}
	if at, _, err := b.Ledger.Watermark(t.Context(), clinicA, "schedule/7"); err != nil || !at.Equal(mark) {
		t.Errorf("the watermark moved to %v by an answer that nobody believes (%v)", at, err)
	}
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	if r := b.board(t, monday); len(r.Board.Rows) != 2 {
		t.Errorf("%d rows are left after the second look", len(r.Board.Rows))
	}
}

func TestAPatientWhoIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.clinic.Patients()[0].ID
	b.vendor.SetFaults(tebratest.Faults{AbsentPatients: []string{id}})
	want(t, b.patient(t, id), tasks.OutcomeDone, "")
	missing, err := b.Store.PatientsToFetch(t.Context(), clinicA, []practice.Appointment{{Patient: phi.Text(id)}})
	if err != nil || len(missing) != 0 {
		t.Errorf("a patient who does not exist is to be fetched again: %d, %v", len(missing), err)
	}
}

func TestTroubleAtTheVendorCostsNoAttempt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		faults    tebratest.Faults
		throttles tebratest.Throttles
		code      string
	}{
		"outage":      {tebratest.Faults{Outage: true}, tebratest.Throttles{Off: true}, "vendor_unavailable"},
		"maintenance": {tebratest.Faults{Maintenance: true}, tebratest.Throttles{Off: true}, "vendor_unavailable"},
		"cut":         {tebratest.Faults{CutBody: true}, tebratest.Throttles{Off: true}, "vendor_unavailable"},
		"throttled":   {tebratest.Faults{}, tebratest.Throttles{}, "vendor_throttled"},
	} {
		b := setup(t, func(cfg *tebratest.Config) { cfg.Throttles = c.throttles })
		if c.code == "vendor_throttled" {
			b.sync(t, today()) // the next call comes too soon
		}
		b.vendor.SetFaults(c.faults)
		began := time.Now()
		r := b.sync(t, today())
		want(t, r, tasks.OutcomeLater, c.code)
		if wait := r.NextAt.Sub(began); wait < 2*time.Second || wait > 10*time.Second {
			t.Errorf("%s: the first wait is %v", name, wait)
		}
	}
}

func TestVendorErrors(t *testing.T) {
	t.Parallel()
	now := time.Now()
	down := &tebra.Error{Code: tebra.Unavailable, Operation: "GetPatient"}
	for name, c := range map[string]struct {
		err      error
		age      time.Duration
		state    string
		min, max time.Duration
	}{
		"young":     {down, 0, tasks.OutcomeLater, 5 * time.Second, 8 * time.Second},
		"an hour":   {down, time.Hour, tasks.OutcomeLater, 10 * time.Minute, 13 * time.Minute},
		"a minute":  {down, time.Minute, tasks.OutcomeLater, 30 * time.Second, 40 * time.Second},
		"a day":     {down, 25 * time.Hour, tasks.OutcomeDead, 0, 0},
		"timeout":   {&tebra.Error{Code: tebra.Timeout}, 0, tasks.OutcomeLater, 5 * time.Second, 8 * time.Second},
		"throttled": {&tebra.Error{Code: tebra.Throttled, Interval: 5 * time.Second}, 0, tasks.OutcomeLater, 10 * time.Second, 14 * time.Second},
		"canceled":  {&tebra.Error{Code: tebra.Canceled}, 0, tasks.OutcomeLater, 0, 2 * time.Second},
		"refused":   {&tebra.Error{Code: tebra.Unauthenticated}, 0, tasks.OutcomeDead, 0, 0},
		"malformed": {&tebra.Error{Code: tebra.Malformed}, 0, tasks.OutcomeRetry, 0, 3 * time.Second},
		"else":      {errors.New("something else"), 0, tasks.OutcomeRetry, 0, 3 * time.Second},
	} {
		worker := tasks.WorkerFunc[tasks.SyncDirectory](func(context.Context, *tasks.Job[tasks.SyncDirectory]) error {
			return vendorError(fmt.Errorf("wrapped: %w", c.err), now.Add(-c.age))
		})
		r := taskstest.Work(t, worker, tasks.SyncDirectory{Practice: "7"})
		if r.State != c.state {
			t.Errorf("%s: %s %s", name, r.State, r.Code)
			continue
		}
		if wait := r.NextAt.Sub(now); c.state != tasks.OutcomeDead && (wait < c.min || wait > c.max+time.Second) {
			t.Errorf("%s: comes back after %v", name, wait)
		}
	}
}

type notNow struct{ at time.Time }

func (n notNow) Error() string                  { return "not now" }
func (n notNow) NotBefore() (time.Time, string) { return n.at, "pace" }

func TestTheGatesWordIsPassedOn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.gate.refuse = notNow{time.Now().Add(42 * time.Second)}
	r := b.sync(t, today())
	want(t, r, tasks.OutcomeLater, "pace")
	if wait := time.Until(r.NextAt); wait < 41*time.Second || wait > 43*time.Second {
		t.Errorf("comes back after %v", wait)
	}
}

func TestMistakesAreDead(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want(t, b.sync(t, tasks.SyncSchedule{Practice: "99", From: on(monday), To: on(monday)}), tasks.OutcomeDead, "unknown_practice")
	want(t, b.sync(t, today(), taskstest.For("clinic-z")), tasks.OutcomeDead, "unknown_tenant")
	if n := len(b.vendor.Calls(0)); n != 0 {
		t.Errorf("they cost %d calls", n)
	}
}

func TestRowsOfAnotherPracticePoisonTheAnswer(t *testing.T) {
	t.Parallel()
	zone := time.UTC
	start := time.Date(2026, 3, 2, 10, 0, 0, 0, zone)
	_, err := sortByDay("7", []tebra.Appointment{
		{ID: "1", PracticeID: "7", Start: start}, {ID: "2", PracticeID: "8", Start: start},
	}, zone)
	if !errors.Is(err, practice.ErrForeign) {
		t.Errorf("got %v", err)
	}
	byDay, err := sortByDay("7", []tebra.Appointment{{ID: "1", Start: start}, {Start: start}, {ID: "3"}}, zone)
	if err != nil || len(byDay[monday]) != 1 {
		t.Errorf("%d rows, %v", len(byDay[monday]), err)
	}
}

func TestConflictsComeBack(t *testing.T) {
	t.Parallel()
	worker := tasks.WorkerFunc[tasks.SyncDirectory](func(context.Context, *tasks.Job[tasks.SyncDirectory]) error {
		return applied(fmt.Errorf("apply: %w", cache.ErrConflict))
	})
	want(t, taskstest.Work(t, worker, tasks.SyncDirectory{Practice: "7"}), tasks.OutcomeLater, "conflict")
	if applied(nil) != nil {
		t.Error("no error became one")
	}
}

func TestWarm(t *testing.T) {
	t.Parallel()
	b := setup(t)
	warm := func() taskstest.Result {
		t.Helper()
		return taskstest.Work(t, tasks.WorkerFunc[tasks.WarmView](b.warmView), tasks.WarmView{View: tasks.DayBoard, Practice: "7", Date: on(monday)})
	}
	want(t, warm(), tasks.OutcomeDone, "")
	if got := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{}); got != today() {
		t.Errorf("a cold day asked for %v to %v", got.From, got.To)
	}
	b.forget(t)
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	want(t, warm(), tasks.OutcomeDone, "")
	if r := b.board(t, monday); !r.Hit {
		t.Error("a warmed board is no hit")
	}
}

func TestDirectory(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := taskstest.Work(t, tasks.WorkerFunc[tasks.SyncDirectory](b.syncDirectory), tasks.SyncDirectory{Practice: "7"})
	want(t, r, tasks.OutcomeDone, "")
	b.vendor.Outage(true)
	r = taskstest.Work(t, tasks.WorkerFunc[tasks.SyncDirectory](b.syncDirectory), tasks.SyncDirectory{Practice: "7"})
	want(t, r, tasks.OutcomeLater, "vendor_unavailable")
}

func TestInvalidate(t *testing.T) {
	t.Parallel()
	b := setup(t)
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	visit := b.clinic.Appointments(b.now.In(b.clinic.Location()))[0]
	run := func(noun, id string) {
		t.Helper()
		b.board(t, monday)
		b.forget(t)
		r := taskstest.Work(t, tasks.WorkerFunc[tasks.InvalidateEntity](b.invalidateEntity),
			tasks.InvalidateEntity{Practice: "7", Noun: noun, ID: tasks.EntityID(id)})
		want(t, r, tasks.OutcomeDone, "")
	}
	run(tasks.NounAppointment, visit.ID)
	if r := b.board(t, monday); !r.Stale {
		t.Error("the board does not say that a visit is in doubt")
	}
	if got := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{}); got != today() {
		t.Errorf("asked for %v to %v", got.From, got.To)
	}
	want(t, b.sync(t, today()), tasks.OutcomeDone, "")
	run(tasks.NounAppointment, "404")
	taskstest.RequireNotEnqueued(t, b.queue, "schedule.sync")
	run(tasks.NounPatient, visit.PatientID)
	if got := taskstest.RequireEnqueued[tasks.SyncPatient](t, b.queue, b.keys, taskstest.Want{}); got.Patient.Reveal() != visit.PatientID {
		t.Error("another patient was asked for")
	}
	run(tasks.NounProvider, "107")
	taskstest.RequireEnqueued[tasks.SyncDirectory](t, b.queue, b.keys, taskstest.Want{})
	run(tasks.NounPractice, "")
	taskstest.RequireEnqueued[tasks.SyncDirectory](t, b.queue, b.keys, taskstest.Want{})
	if got := taskstest.RequireEnqueued[tasks.SyncSchedule](t, b.queue, b.keys, taskstest.Want{}); got != today() {
		t.Errorf("asked for %v to %v", got.From, got.To)
	}
}

func TestRegister(t *testing.T) {
	t.Parallel()
	b := setup(t)
	router, err := tasks.NewRouter(tasks.RouterOptions{Keys: b.keys})
	if err != nil {
		t.Fatal(err)
	}
	if err := Register(router, Deps{}); err == nil {
		t.Error("workers without anything to work with are registered")
	}
	if err := Register(router, b.Deps); err != nil {
		t.Fatal(err)
	}
}
