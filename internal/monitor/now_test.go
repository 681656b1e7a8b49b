package monitor

import (
	"context"
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/alarm"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/status"
)

func TestNow(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	a := s.as(t, vic).get("/now")
	if a.code != http.StatusOK || a.header.Get("Content-Security-Policy") != contentPolicy || a.header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", a.code, a.header)
	}
	text := visibleText(a.body)
	for _, want := range []string{
		"The vendor refuses the login of clinic-b. Unauthenticated; openings in a row: 2; the next probe is due in 4m0s.",
		"The budget of GetAppointments of clinic-a is full. Tasks are booked for the next 12m0s", "No worker serves the lane sync.",
		"2 of 4 practices have outdated schedules", "The queue warm is paused.",
		"sync 90 min 3 0 1 0 0", "1 worker, 0 of 40 slots busy", // 90 minutes although asynq knows of a second
		"it waits for a free worker schedule.sync sync 3 as soon as a worker is free", "its queue is paused schedule.sync warm 1 when the queue is resumed",
		"clinic-b 9 47 min ago late", "clinic-b 10 never not confirmed yet", "clinic-a 7 70 s ago fresh", "clinic-a 8 14 h 0 min ago out of hours",
		"clinic-b credential open, probe in 4 min unauthenticated 2", "the host everything closed – 0",
		"clinic-a GetAppointments 1.2 s throttled for 4 s 83 % 12 min held back, others used less", "clinic-a GetPatient 300 ms now 0 % – next",
		"denied schedule.sync 2 60 min ago", "does_not_open schedule.sync 1 60 min ago",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(a.body, plantedMarker) || strings.Contains(a.body, "://") || strings.Contains(a.body, "<script>") || strings.Contains(a.body, "style=") {
		t.Error("the page contains a secret, another host's name, or inline script or style")
	}
	if t.Failed() {
		t.Log(text)
	}
}

var tags = regexp.MustCompile(`<[^>]*>`)

// visibleText returns the text that a person reads.
func visibleText(page string) string {
	return strings.Join(strings.Fields(strings.ReplaceAll(tags.ReplaceAllString(page, " "), " ,", ",")), " ")
}

// A dead scheduler is reported with the time of its last report, whose content is no longer shown.
func TestNowWithoutAScheduler(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	key := s.rdb.Keys(t.Context(), "s1:*").Val()[0]
	s.rdb.PExpire(t.Context(), key, status.Life-time.Hour)
	v := s.as(t, vic)
	text := visibleText(v.get("/now").body)
	if !strings.Contains(text, "No scheduler has reported for 1h0m") || !strings.Contains(text, "Unknown since ") {
		t.Errorf("the page lacks the time of the last report:\n%s", text)
	}
	for _, old := range []string{"unauthenticated", "47 min ago", "GetAppointments", "practices have outdated schedules"} {
		if strings.Contains(text, old) {
			t.Errorf("the page still shows %q", old)
		}
	}
	if !strings.Contains(text, "sync 90 min 3 0 1 0 0") || !strings.Contains(text, "denied schedule.sync 2") {
		t.Errorf("the page hides what is known:\n%s", text)
	}
}

// An alarm is a sentence each for what is wrong, the evidence, the effect and what to do.
func TestNowShowsAlarms(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.enqueue(t, "sync", "a", time.Now())
	s.writeStatus(t, status.Document{})
	text := html.UnescapeString(visibleText(s.as(t, vic).get("/now").body))
	const want = "No worker is running. No process sends heartbeats; tasks that wait: 1. No task runs: the boards of all tenants grow old, " +
		"and changes do not reach the vendor. Start a worker, or see the logs of those that ended."
	if !strings.Contains(text, want) {
		t.Errorf("the page lacks %q:\n%s", want, text)
	}
}

// What is known of the ledger counts as soon as one of its parts cannot be read.
func TestNowWithoutLedger(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.writeStatus(t, status.Document{})
	v := s.as(t, vic)
	_ = s.ledger.Close()
	if text := html.UnescapeString(visibleText(v.get("/now").body)); !strings.Contains(text, "The ledger does not answer.") || !strings.Contains(text, "No tasks are waiting.") {
		t.Error(text)
	}
}

// Data of the stores comes from outside: none of it may become markup or script.
func TestNowEscapesEverything(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	const evil = `"><script>alert(1)</script><img src=x onerror=alert(1)>`
	s.bury(t, "sync-evil", evil)
	s.writeStatus(t, status.Document{
		Budgets:   []status.Budget{{Tenant: evil, Operation: evil, Spacing: time.Second, Turn: evil}},
		Breakers:  []status.Breaker{{Scope: evil, Tenant: evil, State: evil, Reason: evil}},
		Freshness: []status.Freshness{{Tenant: evil, Practice: evil}},
		Missing:   []string{evil},
	})
	a := s.as(t, vic).get("/now")
	if strings.Contains(a.body, "<script>") || strings.Contains(a.body, "<img") || !strings.Contains(a.body, "&lt;script&gt;") {
		t.Errorf("%s", a.body)
	}
}

// The page shows the most important rows and the number of those it omits.
func TestNowIsLimited(t *testing.T) {
	t.Parallel()
	var d status.Document
	for range 300 {
		d.Freshness = append(d.Freshness, status.Freshness{Tenant: "clinic-b", Known: true})
		d.Budgets = append(d.Budgets, status.Budget{Tenant: "clinic-b"})
	}
	d.Freshness[0] = status.Freshness{Tenant: "clinic-z", Open: true}
	d.Budgets[0].Tenant = "clinic-a"
	v := viewOf(snapshot{Snapshot: alarm.Snapshot{At: time.Now(), Status: d}}, access.Login{})
	if len(v.Freshness) != maxFreshness || v.MoreFreshness != 300-maxFreshness || v.Freshness[0].Tenant != "clinic-z" {
		t.Errorf("%d practices, %d more, %v first", len(v.Freshness), v.MoreFreshness, v.Freshness[0])
	}
	if len(v.Budgets) != maxBudgets || v.MoreBudgets != 300-maxBudgets || v.Budgets[0].Tenant != "clinic-a" {
		t.Errorf("%d budgets, %d more", len(v.Budgets), v.MoreBudgets)
	}
}

func TestSnapshotsAreShared(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	first := s.sampler.sample(t.Context())
	s.enqueue(t, "sync", "a", time.Now())
	if again := s.sampler.sample(t.Context()); !again.At.Equal(first.At) || again.Lanes[2].Pending != 0 {
		t.Errorf("a second sample within %v read the stores again", sampleInterval)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.sampler.last.At = time.Time{}
	if got := s.sampler.sample(gone); got.LanesErr != nil || got.Lanes[2].Pending != 1 {
		t.Errorf("a canceled request spoils the snapshot for others: %v", got.LanesErr)
	}
}

func TestSpan(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 s", -time.Second: "0 s", 250 * time.Millisecond: "250 ms", time.Second: "1 s", 1200 * time.Millisecond: "1.2 s",
		119 * time.Second: "119 s", 2 * time.Minute: "2 min", 119 * time.Minute: "119 min", 2 * time.Hour: "2 h 0 min",
		47*time.Hour + 59*time.Minute: "47 h 59 min", 48 * time.Hour: "2 days",
	} {
		if got := span(d); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
	now := time.Now()
	if ago(now, time.Time{}) != "never" || ago(now, now.Add(-time.Minute)) != "60 s" {
		t.Error("ago")
	}
}

func TestNowShowsAlerts(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	if _, err := s.ledger.ApplyTenants(t.Context(), []ledger.Tenant{{ID: "clinic-a", TimeZone: "UTC", Practices: []ledger.Practice{{ID: "7", Name: "Seven"}}}}); err != nil {
		t.Fatal(err)
	}
	since := time.Now().Add(-90 * time.Minute)
	day := civil.DateOf(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	set := func(found ...ledger.Alert) {
		t.Helper()
		scope := ledger.AlertScope{Tenant: "clinic-a", Practice: "7", From: found[0].Day, To: found[len(found)-1].Day}
		if _, err := s.ledger.SetAlerts(t.Context(), scope, found, since); err != nil {
			t.Fatal(err)
		}
	}
	v := s.as(t, vic)
	if text := visibleText(v.get("/now").body); !strings.Contains(text, "No alerts.") {
		t.Error("the page does not say that there are no alerts")
	}
	var days []ledger.Alert
	for n := range maxAlerts + 5 {
		days = append(days, ledger.Alert{Day: day.Add(n), Code: codes.RowUndated, Rows: 3})
	}
	set(ledger.Alert{Code: codes.PracticeDenied})
	set(days...)
	s.sampler.last.At = time.Time{}
	text := html.UnescapeString(visibleText(v.get("/now").body))
	for _, want := range []string{
		"Alerts practice_denied: 1.", "Alerts row_undated: 55, rows: 165.", "clinic-a 7 any " + codes.PracticeDenied.Meaning() + " practice_denied – 90 min ago",
		"clinic-a 7 2026-03-02 " + codes.RowUndated.Meaning() + " row_undated 3 90 min ago", "6 more; rounds alert list",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
}

// The kind of a dead letter is any text that its task claimed.
func TestDeadLettersShowNoText(t *testing.T) {
	t.Parallel()
	v := viewOf(snapshot{DeadLetters: []ledger.Count{{Kind: "Jane Doe", Code: "no patient Jane Doe", Open: 1}}}, access.Login{})
	if l := v.DeadLetters[0]; l.Kind != string(codes.Hidden) || l.Code != string(codes.Hidden) {
		t.Errorf("%+v", l)
	}
}
