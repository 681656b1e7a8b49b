package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

const boardPath = "/v1/practices/7/board?date=2026-03-02"

// applyPatient stores a patient's record as the vendor's answer.
func (b *bundle) applyPatient(owner tenant.ID, p practice.Patient) {
	b.t.Helper()
	since, err := b.store.Begin(b.t.Context(), owner)
	if err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.store.ApplyPatient(b.t.Context(), owner, p, since); err != nil {
		b.t.Fatal(err)
	}
}

// checkFreshness checks the headers that state the data's age and staleness.
func checkFreshness(t *testing.T, r reply, asOf time.Time, stale bool) {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, r.Header.Get("Data-As-Of"))
	age := r.Header.Get("Age")
	if err != nil || !at.Equal(asOf) || age == "" || strings.HasPrefix(age, "-") || r.Header.Get("Data-Stale") != map[bool]string{true: "true", false: "false"}[stale] {
		t.Errorf("as of %v (%v), want %v; age %q, stale %q", at, err, asOf, age, r.Header.Get("Data-Stale"))
	}
}

func TestBoard(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.applyPatient(clinicA, practice.Patient{ID: "1001", First: "Example", Last: "Person", Born: "1980-01-02", Mobile: "555-0100"})
	b.applyDay(clinicA, "7", visit("7", 1), visit("7", 2))
	r := b.get(boardPath)
	var doc board
	r.json(t, &doc)
	if r.StatusCode != http.StatusOK || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%d %v", r.StatusCode, r.Header)
	}
	if len(doc.Rows) != 2 || doc.Practice != "7" || doc.Date != monday || doc.Zone != "America/Chicago" || doc.Stale || doc.Unknown != 1 || doc.Missing != 0 {
		t.Fatalf("%s", r.body)
	}
	names := b.store.Names(clinicA)
	first := doc.Rows[0]
	if first.Name != "Example Person" || first.Born != "1980-01-02" || first.Phone != "555-0100" || !first.Known || first.Appointment != "900001" ||
		first.Ref != names.Appointment("900001") || doc.Ref != names.Board("7", monday) || first.Start.Format("15:04 -07") != "09:10 -06" {
		t.Errorf("%s", r.body)
	}
	if second := doc.Rows[1]; second.Known || second.Name != "Row Name2" {
		t.Errorf("a row without its patient's record: %s", r.body)
	}
	checkFreshness(t, r, doc.AsOf, false)
}

// Each row says what kind of entry it is, rows with one number have refs of their own, and a day
// says what it may lack.
func TestKindsOfEntries(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		o.Now = func() time.Time { return time.Date(2026, 3, 2, 19, 0, 0, 0, time.UTC) }
	})
	block, one, two := visit("7", 0), visit("7", 1), visit("7", 1)
	block.Patient, block.PatientName, block.Type, block.AllDay, block.Reasons = "", "", practice.Other, true, []phi.Text{"Closed"}
	block.Start, block.End, block.Last = monday.Add(-1).In(time.UTC), monday.Add(1).In(time.UTC), monday
	block.Day, block.Resources = monday.Add(-1), []practice.Resource{{ID: "70", Name: "Dr Example"}}
	two.Patient, two.Recurring, two.Resources = "1009", true, block.Resources
	since, err := b.store.Begin(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.store.ApplyDay(t.Context(), clinicA, practice.Answer{
		Practice: "7", Date: monday, Visits: []practice.Appointment{block, one, two}, Since: since, SetAside: map[codes.Code]int{codes.RowUndated: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	r := b.get(boardPath)
	var doc board
	r.json(t, &doc)
	if len(doc.Rows) != 3 || doc.Visits != 2 || len(doc.Incomplete) != 1 || doc.Incomplete[0] != (omission{codes.RowUndated, 2}) {
		t.Fatalf("%s", r.body)
	}
	if row := doc.Rows[0]; row.Type != "other" || !row.AllDay || row.Minutes != 2*24*60 || row.Reason != "Closed" || row.Recurring {
		t.Errorf("the block: %+v", row)
	}
	if x, y := doc.Rows[1], doc.Rows[2]; x.Type != "patient" || x.AllDay || x.Minutes != 10 || x.Appointment != y.Appointment || x.Ref == y.Ref || x.Recurring == y.Recurring {
		t.Errorf("rows of one number: %s", r.body)
	}
	day := b.get("/v1/providers/70/day?practice=7&date=2026-03-02")
	var own providerDay
	if day.json(t, &own); len(own.Rows) != 2 || own.Visits != 1 || own.Rows[0].Type != "other" || len(own.Incomplete) != 1 {
		t.Errorf("the provider's day: %s", day.body)
	}
	b.applyPatient(clinicA, practice.Patient{ID: "1001", Practice: "7"})
	var person card
	shown := b.get("/v1/patients/1001?practice=7")
	if shown.json(t, &person); len(person.Visits) != 1 || len(person.Incomplete) != 1 || person.Incomplete[0] != (dayOmission{monday, codes.RowUndated, 2}) {
		t.Errorf("the card: %s", shown.body)
	}
}

// A view that is not cached has the reason if the practice cannot be read at the vendor, in the
// words of a stale view.
func TestColdViewOfALostPractice(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.ColdWait = time.Millisecond })
	reason := func(path string) string {
		r := b.get(path)
		var p problem
		r.json(t, &p)
		if r.StatusCode != http.StatusServiceUnavailable || p.Code != codes.Cold || r.Header.Get("Data-Stale-Reason") != string(p.Reason) {
			t.Errorf("%s: %d %s, header %q", path, r.StatusCode, r.body, r.Header.Get("Data-Stale-Reason"))
		}
		return string(p.Reason)
	}
	paths := []string{boardPath, "/v1/patients/1001?practice=7", "/v1/providers/70/day?practice=7&date=2026-03-02"}
	for _, want := range []codes.Code{"", codes.PracticeDenied, codes.PracticeNotListed, ""} {
		since, err := b.store.Begin(t.Context(), clinicA)
		if err != nil {
			t.Fatal(err)
		}
		if err := b.store.SetIdentity(t.Context(), clinicA, "7", practice.Identity{Code: want}, since); err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if got := reason(path); got != string(want) {
				t.Errorf("%s: reason %q, want %q", path, got, want)
			}
		}
	}
	if got := reason("/v1/practices/8/board?date=2026-03-02"); got != "" {
		t.Errorf("another practice has the reason %q", got)
	}
}

// Each practice of a tenant shows its own clock: it decides which day is today, and how times are
// written.
func TestEachPracticeHasItsZone(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		o.Now = func() time.Time { return time.Date(2026, 3, 2, 19, 0, 0, 0, time.UTC) }
		known := o.Tenant
		o.Tenant = func(ctx context.Context, id tenant.ID) (ledger.Tenant, error) {
			found, err := known(ctx, id)
			found.Practices = append(found.Practices, ledger.Practice{ID: "6", TimeZone: "America/Atlantis"})
			return found, err
		}
	})
	tomorrow := monday.Add(1)
	b.applyDay(clinicA, "7", visit("7", 1))
	since, err := b.store.Begin(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	early := visit("8", 2)
	early.Day, early.Start, early.End = tomorrow, time.Date(2026, 3, 2, 20, 15, 0, 0, time.UTC), time.Date(2026, 3, 2, 20, 45, 0, 0, time.UTC)
	if _, err := b.store.ApplyDay(t.Context(), clinicA, practice.Answer{Practice: "8", Date: tomorrow, Visits: []practice.Appointment{early}, Since: since}); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ practice, date, zone, start string }{
		{"7", "2026-03-02", "America/Chicago", "2026-03-02T09:10:00-06:00"},
		{"8", "2026-03-03", "Asia/Kathmandu", "2026-03-03T02:00:00+05:45"},
	} {
		r := b.get("/v1/practices/" + c.practice + "/board")
		var doc board
		r.json(t, &doc)
		if doc.Date.String() != c.date || doc.Zone != c.zone || len(doc.Rows) != 1 || doc.Rows[0].Start.Format(time.RFC3339) != c.start {
			t.Errorf("practice %s: %s", c.practice, r.body)
		}
	}
	// Without its zone a practice has no today. The tenant's others are not concerned.
	if r := b.get("/v1/practices/6/board"); r.code(t) != codes.Internal {
		t.Errorf("a practice in an unknown zone: %d", r.StatusCode)
	}
}

// The ETag changes exactly when the body's bytes change, and a 304 states the age.
func TestETag(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.applyDay(clinicA, "7", visit("7", 1))
	first := b.get(boardPath)
	etag := first.Header.Get("ETag")
	if len(etag) != 28 || !strings.HasPrefix(etag, `"`) {
		t.Fatalf("ETag %q", etag)
	}
	var doc board
	first.json(t, &doc)
	for _, match := range []string{etag, `"other", ` + etag, "W/" + etag, "*", `"a,*,b",` + etag + ",,", "\t* "} {
		r := b.get(boardPath, "If-None-Match", match)
		if r.StatusCode != http.StatusNotModified || len(r.body) != 0 || r.Header.Get("ETag") != etag || r.Header.Get("Content-Type") != "" {
			t.Errorf("%q: %d %v %s", match, r.StatusCode, r.Header, r.body)
		}
		checkFreshness(t, r, doc.AsOf, false)
	}
	lines := b.request(http.MethodGet, boardPath, keyA, "")
	lines.Header["If-None-Match"] = []string{`"other"`, etag}
	if r := b.do(lines); r.StatusCode != http.StatusNotModified {
		t.Errorf("the ETag on the second of two lines: %d", r.StatusCode)
	}
	if r := b.get(boardPath, "If-None-Match", `"other"`); r.StatusCode != http.StatusOK || string(r.body) != string(first.body) || r.Header.Get("ETag") != etag {
		t.Errorf("an unchanged board: %d, %s after %s", r.StatusCode, r.body, first.body)
	}
	b.applyDay(clinicA, "7", visit("7", 1)) // the vendor confirms it, which changes as_of in the body
	confirmed := b.get(boardPath, "If-None-Match", etag)
	if confirmed.StatusCode != http.StatusOK || confirmed.Header.Get("ETag") == etag || string(confirmed.body) == string(first.body) {
		t.Errorf("a confirmed board: %d %s", confirmed.StatusCode, confirmed.body)
	}
	b.invalidatePractice("7")
	stale := b.get(boardPath, "If-None-Match", confirmed.Header.Get("ETag"))
	stale.json(t, &doc)
	if stale.StatusCode != http.StatusOK || !doc.Stale {
		t.Errorf("an invalidated board: %d %s", stale.StatusCode, stale.body)
	}
	checkFreshness(t, stale, doc.AsOf, true)
	if r := b.get(boardPath, "If-None-Match", stale.Header.Get("ETag")); r.StatusCode != http.StatusNotModified || r.Header.Get("Data-Stale") != "true" {
		t.Errorf("a stale board that the caller has: %d %v", r.StatusCode, r.Header)
	}
	head := b.do(b.request(http.MethodHead, boardPath, keyA, ""))
	if head.StatusCode != http.StatusOK || head.Header.Get("ETag") != stale.Header.Get("ETag") || len(head.body) != 0 {
		t.Errorf("HEAD: %d %v", head.StatusCode, head.Header)
	}
}

// Today is the practice's day, not the server's.
func TestTodayIsInPracticeZone(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		o.Now = func() time.Time { return time.Date(2026, 3, 3, 5, 30, 0, 0, time.UTC) } // 23:30 on Monday in Chicago
	})
	b.applyDay(clinicA, "7", visit("7", 1))
	if r := b.get("/v1/practices/7/board"); r.StatusCode != http.StatusOK || !strings.Contains(string(r.body), `"date":"2026-03-02"`) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
}

// A read of a day that is not cached enqueues a task and waits for its result.
func TestColdBoardIsFetched(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.ColdWait = 20 * time.Second })
	done := make(chan reply, 1)
	r := b.request(http.MethodGet, boardPath, keyA, "")
	go func() { done <- b.do(r) }()
	for { // until the task is in the queue
		n, err := b.depth()
		if err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			break
		}
	}
	b.applyDay(clinicA, "7", visit("7", 1))
	if got := <-done; got.StatusCode != http.StatusOK || !strings.Contains(string(got.body), "900001") {
		t.Errorf("%d %s", got.StatusCode, got.body)
	}
}

func TestColdBoardTimesOut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	replies := make([]reply, demandBurst+3)
	var readers sync.WaitGroup // all at once: the limit of demands grows with time
	for i := range replies {
		r := b.request(http.MethodGet, boardPath, keyA, "")
		readers.Go(func() { replies[i] = b.do(r) })
	}
	readers.Wait()
	for _, r := range replies {
		if r.code(t) != codes.Cold || r.Header.Get("Retry-After") != "2" {
			t.Fatalf("%d %v %s", r.StatusCode, r.Header, r.body)
		}
	}
	n, err := b.depth()
	if err != nil || n != 1 {
		t.Errorf("%d demands for one board (%v)", n, err)
	}
	if n, err := b.queue.LLen(t.Context(), "asynq:{interactive}:pending").Result(); err != nil || n != 1 {
		t.Errorf("%d demands in the interactive lane (%v)", n, err)
	}
	r := b.get("/v1/practices/8/board?date=2026-03-02")
	if n, err := b.depth(); r.code(t) != codes.Cold || err != nil || n != 1 {
		t.Errorf("a key beyond its limit of demands: %d, %d demands (%v)", r.StatusCode, n, err)
	}
	if r := b.do(b.request(http.MethodGet, "/v1/practices/9/board?date=2026-03-02", keyB, "")); r.code(t) != codes.Cold {
		t.Errorf("%d", r.StatusCode)
	}
	if n, err := b.depth(); err != nil || n != 2 {
		t.Errorf("another key's demand: %d in the queue (%v)", n, err)
	}
}

func TestPatientCard(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Now = func() time.Time { return time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC) } })
	path := "/v1/patients/1001?practice=7"
	if r := b.get(path); r.code(t) != codes.Cold {
		t.Errorf("a patient that is not cached: %d", r.StatusCode)
	}
	b.applyPatient(clinicA, practice.Patient{ID: "1001", First: "Example", Last: "Person", Born: "1980-01-02", Mobile: "555-0100"})
	b.applyDay(clinicA, "7", visit("7", 1), visit("7", 2))
	r := b.get(path)
	var doc card
	r.json(t, &doc)
	if r.StatusCode != http.StatusOK || doc.Patient.Last != "Person" || doc.Patient.ID != "1001" || doc.Practice != "7" || doc.From != monday ||
		len(doc.Visits) != 1 || doc.Visits[0].Appointment != "900001" || doc.Ref != b.store.Names(clinicA).Patient("1001") {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	checkFreshness(t, r, doc.AsOf, false)
	if again := b.get(path, "If-None-Match", r.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("again: %d", again.StatusCode)
	}
	if r := b.get("/v1/patients/1001"); r.code(t) != codes.MalformedQuery {
		t.Errorf("no practice, where the tenant has two: %d", r.StatusCode)
	}
	since, err := b.store.Begin(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.ForgetPatient(t.Context(), clinicA, "1003", false, since); err != nil {
		t.Fatal(err)
	}
	if r := b.get("/v1/patients/1003?practice=7"); r.code(t) != codes.NotFound {
		t.Errorf("a patient that the vendor does not have: %d", r.StatusCode)
	}
}

func TestProviderDay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own, other := visit("7", 1), visit("7", 2)
	own.Resources = []practice.Resource{{ID: "31", Name: "Dr Example"}}
	other.Resources = []practice.Resource{{ID: "32", Name: "Dr Other"}}
	b.applyDay(clinicA, "7", own, other)
	r := b.get("/v1/providers/31/day?practice=7&date=2026-03-02")
	var doc providerDay
	r.json(t, &doc)
	if r.StatusCode != http.StatusOK || doc.Provider != "31" || doc.Name != "Dr Example" || len(doc.Rows) != 1 || doc.Rows[0].Appointment != "900001" {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	checkFreshness(t, r, doc.AsOf, false)
	if r := b.get("/v1/providers/31/day?practice=7&date=2026-03-02", "If-None-Match", r.Header.Get("ETag")); r.StatusCode != http.StatusNotModified {
		t.Errorf("again: %d", r.StatusCode)
	}
	if r := b.get("/v1/providers/99/day?practice=7&date=2026-03-02"); r.StatusCode != http.StatusOK || !json.Valid(r.body) || !strings.Contains(string(r.body), `"rows":[]`) {
		t.Errorf("a provider without visits: %d %s", r.StatusCode, r.body)
	}
	if r := b.get("/v1/providers/31/day?practice=7&date=2026-03-05"); r.code(t) != codes.Cold {
		t.Errorf("a day that is not cached: %d", r.StatusCode)
	}
}

// While the ledger does not answer, the cached tenant is used.
func TestTenantCacheSurvivesLedgerOutage(t *testing.T) {
	t.Parallel()
	calls := 0
	ts := tenantCache{
		names: func(tenant.ID) practice.Names {
			keys, err := phi.Generate()
			if err != nil {
				t.Error(err)
			}
			return practice.NewNames(keys.For("clinic-a"))
		},
		read: func(ctx context.Context, id tenant.ID) (ledger.Tenant, error) {
			calls++
			switch {
			case calls == 1:
				return ledger.Tenant{TimeZone: "America/Chicago", Practices: []ledger.Practice{{ID: "7"}}}, nil
			case calls == 3 && id == clinicA: // it is frozen
				<-ctx.Done()
				return ledger.Tenant{}, ctx.Err()
			}
			return ledger.Tenant{}, errors.New("unreachable")
		},
	}
	for range 3 {
		patient, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c, err := ts.get(patient, clinicA)
		if patient.Err() != nil {
			t.Error("a caller waits for a frozen ledger")
		}
		cancel()
		if err != nil || len(c.practices) != 1 {
			t.Fatalf("%v, %v", c, err)
		}
		ts.entries[clinicA].readAt = time.Now().Add(-time.Hour)
	}
	if calls != 3 {
		t.Errorf("the ledger was read %d times, want 3", calls)
	}
	if _, err := ts.get(t.Context(), clinicB); err == nil || tasks.CodeOf(err) == codes.NotFound {
		t.Errorf("a tenant that was never read: %v", err)
	}
}
