package report

import (
	"context"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/status"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// mondayNoon is a calendar that stands still, by the clocks of Chicago.
func mondayNoon() time.Time { return time.Date(2026, 3, 2, 18, 0, 0, 0, time.UTC) }

// newReporter returns a reporter of a deployment with one tenant, whose cache is at the given
// client.
func newReporter(t *testing.T, cached redis.UniversalClient) *Reporter {
	t.Helper()
	l := ledgertest.New(t)
	row := ledger.Tenant{ID: "clinic-a", TimeZone: "America/Chicago", Credentials: []byte("sealed"), Hours: ledger.Hours{"mon": "08:00-17:30"}, Practices: []ledger.Practice{
		{ID: "1", Name: "One"}, {ID: "2", Name: "Two", TimeZone: "Asia/Kathmandu"},
	}}
	if _, err := l.ApplyTenants(t.Context(), []ledger.Tenant{row}); err != nil {
		t.Fatal(err)
	}
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	queue := redistest.New(t)
	c, err := cache.New(cache.Options{Redis: cached, Sealer: keys.For, Key: func(context.Context, tenant.ID) (*phi.DataKey, error) { return phi.NewDataKey() }})
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.New(flow.Options{Redis: queue})
	if err != nil {
		t.Fatal(err)
	}
	return &Reporter{Queue: queue, Flow: f, Ledger: l, Store: practice.NewStore(c, keys), Now: mondayNoon, Logger: slog.New(slog.DiscardHandler)}
}

// written writes a report, and reads it.
func (r *Reporter) written(t *testing.T) status.Document {
	t.Helper()
	if err := r.Write(t.Context()); err != nil {
		t.Fatal(err)
	}
	d, _, err := status.Read(t.Context(), r.Queue)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A store that does not answer is named, is reported in time, and hides nothing of the others.
func TestReportNamesUnavailableStore(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	cached, err := redisconn.Dial(server.URL(), redisconn.Options{Role: redisconn.RoleCache})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cached.Close() })
	r := newReporter(t, cached)
	if d := r.written(t); len(d.Missing)+len(d.Unavailable) > 0 {
		t.Errorf("with every store: %+v", d)
	}
	for name, away := range map[string]struct{ begin, end func() }{
		"frozen": {func() { server.Freeze(t) }, func() { server.Thaw(t) }},
		"down":   {server.Kill, func() { server.Start(t) }},
	} {
		away.begin()
		began := time.Now()
		if d := r.written(t); fmt.Sprint(d.Missing, d.Unavailable) != "[freshness] [cache]" || len(d.Breakers) != 1 || time.Since(began) > status.Every {
			t.Errorf("%s: after %s: %+v", name, time.Since(began), d)
		}
		away.end()
		if d := r.written(t); len(d.Missing)+len(d.Unavailable) > 0 {
			t.Errorf("after it was %s: %+v", name, d)
		}
	}
}

// An unreachable store is listed as missing and does not hide what the others say.
func TestReportListsWhatIsMissing(t *testing.T) {
	t.Parallel()
	cached := redistest.New(t)
	r := newReporter(t, cached)
	queue, l := r.Queue, r.Ledger
	read := func() status.Document {
		t.Helper()
		return r.written(t)
	}
	if d := read(); len(d.Missing) > 0 || len(d.Freshness) != 2 || d.Freshness[0].Known || len(d.Breakers) != 1 || d.Breakers[0].State != "closed" {
		t.Errorf("with every store: %+v", d)
	}
	// While it is noon in Chicago, the practice in Kathmandu has closed.
	for _, f := range read().Freshness {
		if f.Open != (f.Practice == "1") {
			t.Errorf("practice %s is open: %t", f.Practice, f.Open)
		}
	}
	now := time.Now()
	for key, fields := range map[string][]any{
		tenant.ID("clinic-a").Key("f1", "p", "GetPatient"): {"next", now.UnixMicro()},
		tenant.ID("clinic-a").Key("f1", "r", "GetPatient"): {"hi", now.UnixMicro() / time.Hour.Microseconds(), "hc", 3600},
	} {
		queue.HSet(t.Context(), key, fields...)
	}
	queue.ZAdd(t.Context(), tenant.GlobalKey("f1h", "fleet", "w"), redis.Z{Member: "clinic-a", Score: float64(now.Add(time.Hour).UnixMicro())})
	if d := read(); len(d.Budgets) != 1 || d.Budgets[0].Turn != "next" || d.Budgets[0].Used < 0.2 || d.Budgets[0].Used > 0.3 {
		t.Errorf("budgets: %+v", d.Budgets)
	}
	_ = cached.Close()
	if d := read(); fmt.Sprint(d.Missing) != "[freshness]" || len(d.Breakers) != 1 {
		t.Errorf("without the cache: %+v", d)
	}
	_ = l.Close()
	if d := read(); fmt.Sprint(d.Missing) != "[budgets breakers freshness]" || len(d.Attempts) == 0 {
		t.Errorf("without the ledger: %+v", d)
	}
}

// The metric counts the alerts by code, and falls to zero when they are over.
func TestReportCountsAlerts(t *testing.T) {
	t.Parallel()
	l := ledgertest.New(t)
	if _, err := l.ApplyTenants(t.Context(), []ledger.Tenant{{ID: "clinic-a", TimeZone: "UTC", Practices: []ledger.Practice{{ID: "1", Name: "One"}}}}); err != nil {
		t.Fatal(err)
	}
	r := &Reporter{Ledger: l}
	counted := func(found ...ledger.Alert) float64 {
		t.Helper()
		if _, err := l.SetAlerts(t.Context(), ledger.AlertScope{Tenant: "clinic-a", Practice: "1"}, found, time.Now()); err != nil {
			t.Fatal(err)
		}
		receiver := otlptest.New(t)
		tel, flush, err := export.Setup(t.Context(), export.Options{Service: "rounds-test", Endpoint: receiver.URL()})
		if err != nil {
			t.Fatal(err)
		}
		r.counted = time.Time{}
		for range 2 { // the second one is too soon
			r.countAlerts(telemetry.With(t.Context(), tel))
		}
		if err := flush(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
		points := receiver.Points("rounds.alerts")
		if len(points) != 1 || points[0].Attributes["code"] != string(codes.PracticeDenied) {
			t.Fatalf("points %+v", points)
		}
		return points[0].Sum
	}
	if n := counted(ledger.Alert{Code: codes.PracticeDenied}); n != 1 {
		t.Errorf("one alert is counted as %v", n)
	}
	if n := counted(); n != 0 {
		t.Errorf("after the alert it is counted as %v", n)
	}
}
