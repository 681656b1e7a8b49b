package app

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	_ "github.com/jackc/pgx/v5/stdlib" // the test reads PostgreSQL's tables directly
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/canary"
	"github.com/workflow-bolt/rounds/internal/pgtest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/logging"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
	"github.com/workflow-bolt/rounds/tasks"
)

// The planted patients: the good one has a record that can be fetched, the bad one does not.
const (
	goodFirst, goodLast, goodPhone = "Zyxwine", "Quarrelvole", "555-719-0463"
	badFirst, badLast              = "Vexifrage", "Ombrewhistle"
)

// planted is a system with planted patients, and every place where their data may appear.
type planted struct {
	*system
	tools          *Tools
	logs           *lines
	log            *slog.Logger // writes to logs, like the worker's
	collector      *otlptest.Receiver
	needles        canary.Needles
	goodID, badID  string
	goodVisit      string
	stopWorker     func()
	queue, cacheDB redis.UniversalClient
}

func plant(t *testing.T, ledgerURL string) *planted {
	t.Helper()
	p := &planted{system: build(t), logs: &lines{}, collector: otlptest.New(t)}
	if ledgerURL != "" {
		p.settings.LedgerURL = secret.Value(ledgerURL)
	}
	c := p.clinic()
	noon := time.Date(p.today().Year(), p.today().Month(), p.today().Day(), 12, 0, 0, 0, c.Location())
	good, bad := c.AddPatient(), c.AddPatient()
	p.goodID, p.badID = good.ID, bad.ID
	visit, err := c.Book(good.ID, noon, 0)
	err = errors.Join(err, c.SetName(good.ID, goodFirst, goodLast), c.SetPhone(good.ID, goodPhone), c.SetName(bad.ID, badFirst, badLast))
	if err != nil {
		t.Fatal(err)
	}
	p.goodVisit = visit
	// Visits that are booked after the naming have the names in their rows.
	goodToo, err := c.Book(good.ID, noon.Add(30*time.Minute), 1)
	if err != nil {
		t.Fatal(err)
	}
	badVisit, err := c.Book(bad.ID, noon, 1)
	if err != nil {
		t.Fatal(err)
	}
	if p.needles, err = canary.New(goodFirst, goodLast, goodPhone, badFirst, badLast, good.ID, bad.ID, visit, goodToo, badVisit); err != nil {
		t.Fatal(err)
	}
	p.vendor.FailPatient(bad.ID, true)
	p.tools = p.system.tools(t)
	p.queue, p.cacheDB = p.tools.Queue, p.tools.Cache
	p.log = logging.New(p.logs, logging.Options{JSON: true, Level: slog.LevelDebug})
	p.stopWorker = p.work(t, func(o *WorkerOptions) { o.Collector, o.Logger = p.collector.URL(), p.log })
	return p
}

// exercise processes the planted patients with success and with every kind of failure.
func (p *planted) exercise(t *testing.T) {
	t.Helper()
	p.demand(t, p.tools)
	p.board(t, p.tools, func(r practice.BoardRead) error {
		for _, row := range r.Board.Rows {
			if row.Known && row.Name.Reveal() == goodFirst+" "+goodLast && row.Phone.Reveal() == goodPhone {
				return nil
			}
		}
		return errors.New("the planted patient is not on the board")
	})
	enqueue := func(args tasks.Args) string {
		t.Helper()
		r, err := p.tools.Tasks.Enqueue(t.Context(), clinicA.String(), args)
		if err != nil {
			t.Fatal(err)
		}
		return r.ID
	}
	p.waitForCall(t, "GetPatient", tebratest.OutcomeFault) // of the bad patient
	patient := tasks.SyncPatient{Practice: "1", Patient: tasks.PatientID(p.goodID)}
	// An unknown practice makes a dead letter; an absent patient is cached as absent.
	p.ends(t, p.tools, enqueue(tasks.SyncPatient{Practice: "99", Patient: tasks.PatientID(p.goodID)}), tasks.StateDead)
	p.vendor.SetFaults(tebratest.Faults{AbsentPatients: []string{p.goodID}})
	p.ends(t, p.tools, enqueue(patient), tasks.StateDone)
	p.exerciseViews(t, enqueue)
	// A response that is cut off, and an HTML page.
	p.vendor.SetFaults(tebratest.Faults{CutBody: true, Operations: []string{"GetPatient"}})
	cut := enqueue(patient)
	p.waitForCall(t, "GetPatient", tebratest.OutcomeCut)
	p.vendor.SetFaults(tebratest.Faults{Maintenance: true, Operations: []string{"GetAppointments"}})
	html := p.demand(t, p.tools).ID
	p.waitForCall(t, "GetAppointments", tebratest.OutcomeMaintenance)
	p.vendor.SetFaults(tebratest.Faults{})
	p.ends(t, p.tools, cut, tasks.StateDone)
	p.ends(t, p.tools, html, tasks.StateDone)
	enqueue(tasks.InvalidateEntity{Practice: "1", Noun: tasks.NounPatient, ID: tasks.EntityID(p.goodID)})
	p.ends(t, p.tools, enqueue(tasks.InvalidateEntity{Practice: "1", Noun: tasks.NounAppointment, ID: tasks.EntityID(p.goodVisit)}), tasks.StateDone)
	p.exerciseGateway(t)
	p.stopWorker() // exports the remaining spans
	p.panics(t)
}

// exerciseViews processes the good patient in lists, as a single appointment and in views of one
// person.
func (p *planted) exerciseViews(t *testing.T, enqueue func(tasks.Args) string) {
	t.Helper()
	p.vendor.SetFaults(tebratest.Faults{})
	today, visit := tasks.DateOf(p.today()), tasks.EntityID(p.goodVisit)
	for _, args := range []tasks.Args{
		tasks.SyncPatients{Practice: "1"},
		tasks.SweepPatients{Practice: "1"},
		tasks.SyncLocations{Practice: "1"},
		tasks.SyncPractices{},
		tasks.SyncThrottles{},
		tasks.SyncAppointment{Practice: "1", Appointment: visit},
		tasks.WarmView{View: tasks.PatientCard, Practice: "1", Date: today, Patient: tasks.PatientID(p.goodID)},
		tasks.WarmView{View: tasks.ProviderDay, Practice: "1", Date: today, Provider: "107"},
	} {
		p.ends(t, p.tools, enqueue(args), tasks.StateDone)
	}
	eventually(t, func() error {
		r, err := p.tools.Store.PatientCard(t.Context(), clinicA, "1", phi.Text(p.goodID), today)
		if err == nil && (r.Card.Patient.Last.Reveal() != goodLast || len(r.Card.Visits) == 0) {
			err = errors.New("the planted patient is not on its card")
		}
		return err
	})
	for _, args := range []tasks.Args{
		tasks.SyncAppointment{Practice: "99", Appointment: visit},
		tasks.SyncPatients{Practice: "99"},
		tasks.WarmView{View: tasks.PatientCard, Practice: "99", Date: today, Patient: tasks.PatientID(p.goodID)},
	} {
		p.ends(t, p.tools, enqueue(args), tasks.StateDead)
	}
}

// waitForCall waits until a call of the operation has ended with the outcome.
func (p *planted) waitForCall(t *testing.T, operation string, outcome tebratest.Outcome) {
	t.Helper()
	eventually(t, func() error {
		for _, c := range p.vendor.Calls(0) {
			if c.Operation == operation && c.Outcome == outcome {
				return nil
			}
		}
		return fmt.Errorf("no %s ended as %s", operation, outcome)
	})
}

// panicArgs is a task whose worker panics with the patient's data.
type panicArgs struct {
	Patient tasks.PatientID `json:"patient"`
}

func (panicArgs) Kind() string           { return "patient.drop" }
func (panicArgs) Options() tasks.Options { return tasks.Options{MaxAttempts: 1} }

// panics runs a worker that panics with the patient's name, in the pipeline of the real worker.
func (p *planted) panics(t *testing.T) {
	t.Helper()
	spans, shutdown, err := export.Setup(t.Context(), export.Options{Service: "rounds-worker", Endpoint: p.collector.URL()})
	if err != nil {
		t.Fatal(err)
	}
	router, err := tasks.NewRouter(tasks.RouterOptions{
		Redis: p.queue, Keys: []byte(p.settings.Keyset.Reveal()), Bury: buryIn(p.tools.Ledger, p.log), Middleware: middleware, Logger: p.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	tasks.Handle(router, tasks.WorkerFunc[panicArgs](func(_ context.Context, job *tasks.Job[panicArgs]) error {
		panic(goodFirst + " " + goodLast + " has the number " + job.Args.Patient.Reveal())
	}))
	server, err := queue.NewServer(queue.ServerOptions{Redis: p.queue, Handler: pipeline{Router: router, telemetry: spans}, Logger: p.log})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	r, err := p.tools.Tasks.Enqueue(t.Context(), clinicA.String(), panicArgs{Patient: tasks.PatientID(p.goodID)})
	if err != nil {
		t.Fatal(err)
	}
	p.ends(t, p.tools, r.ID, tasks.StateDead)
	if err := errors.Join(server.Stop(t.Context()), shutdown(t.Context())); err != nil {
		t.Error(err)
	}
	if d, err := p.tools.Ledger.DeadLetter(t.Context(), r.ID); err != nil || d.Code != "panic" {
		t.Errorf("%s, %v", d.Code, err)
	}
}

func TestNoPatientInTheClear(t *testing.T) {
	t.Parallel()
	for dialect, url := range map[string]func(*testing.T) string{
		"sqlite": func(*testing.T) string { return "" }, "postgres": func(t *testing.T) string { t.Helper(); return pgtest.URL(t) },
	} {
		t.Run(dialect, func(t *testing.T) {
			t.Parallel()
			p := plant(t, url(t))
			p.exercise(t)
			for where, search := range p.sinks(dialect) {
				if seen, hits, err := search(t.Context()); err != nil || seen == 0 || hits != 0 {
					t.Errorf("%s: %d searched, %d hits, %v", where, seen, hits, err)
				}
			}
			p.leakEverywhere(t, dialect)
			for where, search := range p.sinks(dialect) {
				if _, hits, err := search(t.Context()); err != nil || hits == 0 {
					t.Errorf("%s: a planted leak is not found (%v)", where, err)
				}
			}
		})
	}
}

type search func(ctx context.Context) (seen, hits int, err error)

// sinks returns a search for each place where data may end up.
func (p *planted) sinks(dialect string) map[string]search {
	inBytes := func(data func() []byte) search {
		return func(context.Context) (seen, hits int, err error) {
			d := data()
			if len(d) > 0 {
				seen = 1
			}
			if p.needles.In(d) {
				hits = 1
			}
			return seen, hits, nil
		}
	}
	out := map[string]search{
		"queue redis": func(ctx context.Context) (int, int, error) { return p.needles.Redis(ctx, p.queue) },
		"cache redis": func(ctx context.Context) (int, int, error) { return p.needles.Redis(ctx, p.cacheDB) },
		"logs":        inBytes(p.logs.bytes),
		"exports":     inBytes(func() []byte { return bytes.Join(p.collector.Bodies(), nil) }),
		"spans":       inBytes(func() []byte { return fmt.Append(nil, p.collector.Spans()) }),
		"metrics":     inBytes(func() []byte { return fmt.Append(nil, p.collector.Points("")) }),
		"pages":       p.pages,
		"ledger":      func(context.Context) (int, int, error) { return p.needles.Files(p.dir) },
	}
	if dialect == "postgres" {
		out["ledger"] = p.tables
	}
	return out
}

// tables searches every column of every row of the ledger in PostgreSQL.
func (p *planted) tables(ctx context.Context) (seen, hits int, err error) {
	db, err := sql.Open("pgx", p.settings.LedgerURL.Reveal())
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	names, err := column(ctx, db, `select table_name from information_schema.tables where table_schema = current_schema()`)
	if err != nil {
		return 0, 0, err
	}
	for _, name := range names {
		// A row as text has bytea in hexadecimal, which is one of the forms that the search finds.
		rows, err := column(ctx, db, `select t::text from "`+name+`" t`)
		if err != nil {
			return seen, hits, err
		}
		for _, row := range rows {
			seen++
			if p.needles.In([]byte(row)) {
				hits++
			}
		}
	}
	return seen, hits, nil
}

func column(ctx context.Context, db *sql.DB, query string) (out []string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, rows.Err()
}

// leakEverywhere writes the patient's data into every sink in the form in which a bug would.
func (p *planted) leakEverywhere(t *testing.T, dialect string) {
	t.Helper()
	ctx := t.Context()
	name := goodFirst + " " + goodLast
	driver, url := "sqlite", "file:"+p.dir+"/ledger.db"
	if dialect == "postgres" {
		driver, url = "pgx", p.settings.LedgerURL.Reveal()
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	_, err = db.ExecContext(ctx, `update dead_letters set code = '`+name+`'`)
	err = errors.Join(err, db.Close(),
		p.queue.HSet(ctx, "asynq:{sync}:t:leak", "msg", "patient "+name).Err(),
		p.cacheDB.Set(ctx, clinicA.Key("c1", "d", "patient", "leak"), name, 0).Err())
	if err != nil {
		t.Fatal(err)
	}
	// The pages show a kind only with one of our IDs.
	id := queue.ID{Lane: queue.Sync, Digest: strings.Repeat("a", 26), Generation: 1}.String()
	_, err = asynq.NewClientFromRedisClient(p.queue).EnqueueContext(ctx, asynq.NewTask(goodLast, nil), asynq.Queue(queue.Sync), asynq.TaskID(id))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.logs.Write([]byte(`{"msg":"fetched ` + name + `"}`)); err != nil {
		t.Fatal(err)
	}
	leaky, shutdown, err := export.Setup(ctx, export.Options{Endpoint: p.collector.URL()})
	if err != nil {
		t.Fatal(err)
	}
	leaking, span := telemetry.Start(telemetry.With(ctx, leaky), telemetry.SpanTask, telemetry.Kind(goodLast))
	telemetry.CacheRead(leaking, goodLast, "fresh")
	span.End("")
	if err := shutdown(ctx); err != nil {
		t.Fatal(err)
	}
}
