package gateway

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// asked is every route with a place for an identifier, as clinic-a's key asks for it.
type asked struct{ method, path, body string }

// everywhere asks every route for what b names: its practice, a task, a patient and a provider.
func everywhere(practiceID, task, patient, provider, visit string) []asked {
	const on = "&date=2026-03-02"
	return []asked{
		{http.MethodGet, "/v1/tasks/" + task, ""},
		{http.MethodGet, "/v1/practices/" + practiceID + "/board?date=2026-03-02", ""},
		{http.MethodGet, "/v1/patients/" + patient + "?practice=" + practiceID, ""},
		{http.MethodGet, "/v1/patients/" + patient + "?practice=7", ""},
		{http.MethodGet, "/v1/providers/" + provider + "/day?practice=" + practiceID + on, ""},
		{http.MethodGet, "/v1/providers/" + provider + "/day?practice=7" + on, ""},
		{http.MethodPost, "/v1/invalidations", `{"practice":"` + practiceID + `","noun":"practice"}`},
		{http.MethodPost, "/v1/invalidations", `{"practice":"` + practiceID + `","noun":"patient","id":"` + patient + `"}`},
		{http.MethodPost, "/v1/invalidations", `{"practice":"7","noun":"appointment","id":"` + visit + `"}`},
		{http.MethodPost, "/v1/tasks", args("schedule.sync", `{"practice":"`+practiceID+`","from":"2026-03-02","to":"2026-03-02"}`)},
		{http.MethodPost, "/v1/tasks", args("patient.sync", `{"practice":"`+practiceID+`","patient":"`+patient+`"}`)},
		{http.MethodPost, "/v1/tasks", args("directory.sync", `{"practice":"`+practiceID+`"}`)},
		{http.MethodPost, "/v1/tasks", args("view.warm", `{"view":"day-board","practice":"`+practiceID+`","date":"2026-03-02"}`)},
		{http.MethodPost, "/v1/tasks", args("entity.invalidate", `{"practice":"`+practiceID+`","noun":"practice"}`)},
	}
}

var demandID = regexp.MustCompile(`sync-[a-z2-7]{26}-\d{16}`)

// One tenant's key with the other's identifiers gets what it gets with identifiers that there are not, byte for byte, and
// nothing of the other's changes.
func TestWhatIsNotYoursIsNotThere(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	b.see(clinicA, "7", visit("7", 1))
	secret := visit("9", 500)
	secret.PatientName, secret.Resources = "Quarrelvole Zyxwine", []practice.Resource{{ID: "3131", Name: "Dr Ombrewhistle"}}
	b.see(clinicB, "9", secret)
	b.meet(clinicB, practice.Patient{ID: secret.Patient, First: "Zyxwine", Last: "Quarrelvole"})
	made := b.do(b.request(http.MethodPost, "/v1/tasks", keyB, args("directory.sync", `{"practice":"9"}`)))
	var task receipt
	made.json(t, &task)
	if own := b.do(b.request(http.MethodGet, "/v1/practices/9/board?date=2026-03-02", keyB, "")); !bytes.Contains(own.body, []byte("Quarrelvole")) {
		t.Fatalf("there is nothing to hide: %d %s", own.StatusCode, own.body)
	}
	end, err := b.events.XLen(t.Context(), "c1:{clinic-b}:x").Result()
	if err != nil {
		t.Fatal(err)
	}
	unknown := everywhere("4", "sync-aaaaaaaaaaaaaaaaaaaaaaaaaa-1772442000000000", "987654", "9876", "987654")
	for i, ask := range everywhere("9", task.ID, secret.Patient.Reveal(), "3131", secret.ID.Reveal()) {
		theirs := b.do(b.request(ask.method, ask.path, keyA, ask.body))
		none := b.do(b.request(unknown[i].method, unknown[i].path, keyA, unknown[i].body))
		for _, r := range []reply{theirs, none} {
			for _, name := range []string{"Date", "Etag", "Age", "Data-As-Of"} { // of the caller's own empty view
				r.Header.Del(name)
			}
		}
		for _, r := range []*reply{&theirs, &none} { // each demand has an ID of its own, digested with the caller's key
			r.body = demandID.ReplaceAll(r.body, []byte("sync-ID"))
		}
		same := bytes.Equal(theirs.body, none.body)
		if strings.Contains(ask.path, "/providers/") && theirs.StatusCode == http.StatusOK { // the path's own number comes back
			same = bytes.Equal(bytes.ReplaceAll(theirs.body, []byte("3131"), []byte("9876")), none.body)
			theirs.Header.Del("Content-Length")
			none.Header.Del("Content-Length")
		}
		if theirs.StatusCode != none.StatusCode || !same || !slices.Equal(headerLines(theirs), headerLines(none)) {
			t.Errorf("%s %s: %d %v %s\nas unknown: %d %v %s", ask.method, ask.path, theirs.StatusCode, headerLines(theirs), theirs.body,
				none.StatusCode, headerLines(none), none.body)
		}
		for _, secret := range []string{"Quarrelvole", "Zyxwine", "Ombrewhistle", "clinic-b"} {
			if bytes.Contains(theirs.body, []byte(secret)) {
				t.Errorf("%s %s tells %s", ask.method, ask.path, secret)
			}
		}
	}
	if n, err := b.events.XLen(t.Context(), "c1:{clinic-b}:x").Result(); err != nil || n != end {
		t.Errorf("%d events of the other tenant, were %d (%v)", n, end, err)
	}
	if own := b.do(b.request(http.MethodGet, "/v1/practices/9/board?date=2026-03-02", keyB, "")); own.Header.Get("Data-Stale") != "false" {
		t.Error("the other tenant's board is stale")
	}
}

func headerLines(r reply) []string {
	var out []string
	for name, values := range r.Header {
		out = append(out, name+": "+strings.Join(values, ", "))
	}
	slices.Sort(out)
	return out
}

// Every route that is not public refuses who has no key.
func TestEveryRouteAsksForAKey(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	private := 0
	for pattern, rt := range b.routes {
		method, path, _ := strings.Cut(pattern, " ")
		if rt.public {
			continue
		}
		private++
		for _, key := range []string{"", "not-a-key"} {
			if r := b.do(b.request(method, strings.NewReplacer("{", "", "}", "").Replace(path), key, "")); r.code(t) != string(codeUnauthenticated) {
				t.Errorf("%s: %d", pattern, r.StatusCode)
			}
		}
	}
	if private != 7 {
		t.Errorf("%d routes with a key", private)
	}
	for _, path := range []string{"/openapi.json", "/problems/cold"} {
		if r := b.do(b.request(http.MethodGet, path, "", "")); r.StatusCode != http.StatusOK {
			t.Errorf("%s without a key: %d", path, r.StatusCode)
		}
	}
}

func TestRatesAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.Rate, o.Limits.Burst, o.Limits.Unknown = 0.001, 5, 3 })
	for i := range 8 {
		r := b.get("/v1/tasks/x")
		want := codeNotFound
		if i >= 5 {
			want = codeRate
		}
		if got := r.code(t); got != string(want) || (want == codeRate) != (r.Header.Get("Retry-After") != "") {
			t.Errorf("request %d: %s %v", i, got, r.Header)
		}
	}
	for i := range 8 {
		got := b.do(b.request(http.MethodGet, "/v1/tasks/x", "guess", "")).code(t)
		if i < 3 && got != string(codeUnauthenticated) || i == 7 && got != string(codeRate) {
			t.Errorf("guess %d: %s", i, got)
		}
	}
	if got := b.do(b.request(http.MethodGet, "/v1/tasks/x", keyB, "")).code(t); got != string(codeNotFound) {
		t.Errorf("a known key pays for those who guess: %s", got)
	}
}

func TestRequestsAtOnceAreBounded(t *testing.T) {
	t.Parallel()
	entered, release := make(chan struct{}, 2), make(chan struct{})
	b := setup(t, func(o *Options) {
		o.Limits.Running = 2
		read := o.Tenant
		o.Tenant = func(ctx context.Context, id tenant.ID) (ledger.Tenant, error) {
			entered <- struct{}{}
			<-release
			return read(ctx, id)
		}
	})
	done := make(chan reply, 2)
	for range 2 {
		r := b.request(http.MethodGet, "/v1/practices/9/board", keyA, "")
		go func() { done <- b.do(r) }()
		<-entered
	}
	if r := b.get("/v1/practices/9/board"); r.code(t) != string(codeRate) {
		t.Errorf("a third request at once: %d", r.StatusCode)
	}
	close(release)
	for range 2 {
		if r := <-done; r.code(t) != string(codeNotFound) {
			t.Errorf("%d", r.StatusCode)
		}
	}
	if r := b.get("/v1/practices/9/board"); r.code(t) != string(codeNotFound) {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

// A fault of ours is one answer and a log line without what caused it; the next request is answered.
func TestAPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	first := true
	b := setup(t, func(o *Options) {
		read := o.Tenant
		o.Tenant = func(ctx context.Context, id tenant.ID) (ledger.Tenant, error) {
			if first {
				first = false
				panic("patient " + marker)
			}
			return read(ctx, id)
		}
	})
	r := b.get("/v1/practices/9/board")
	if r.code(t) != string(codeInternal) || bytes.Contains(r.body, []byte(marker)) {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if log := b.log.String(); !strings.Contains(log, "request panicked") || !strings.Contains(log, "guard_test.go") || strings.Contains(log, marker) {
		t.Errorf("log %s", log)
	}
	if r := b.get("/v1/practices/9/board"); r.code(t) != string(codeNotFound) {
		t.Errorf("afterwards: %d", r.StatusCode)
	}
}

// What a request needs and does not answer is said so, and the request may be repeated.
func TestWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) {
		gone := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1, DialerRetries: 1})
		t.Cleanup(func() { _ = gone.Close() })
		o.Events = gone
	})
	if r := b.get("/v1/events"); r.code(t) != string(codeUnavailable) || r.Header.Get("Retry-After") == "" {
		t.Errorf("%d %v", r.StatusCode, r.Header)
	}
	if err := b.queue.Close(); err != nil {
		t.Fatal(err)
	}
	for _, r := range []reply{b.post("/v1/tasks", goodDemand), b.get("/v1/tasks/sync-aaaaaaaaaaaaaaaaaaaaaaaaaa-1772442000000000")} {
		if r.code(t) != string(codeUnavailable) {
			t.Errorf("%d %s", r.StatusCode, r.body)
		}
	}
	if log := b.log.String(); !strings.Contains(log, "route=create-task") || !strings.Contains(log, "code=unavailable") {
		t.Errorf("log %s", log)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*Options){
		"no store": func(o *Options) { o.Store = nil }, "no tasks": func(o *Options) { o.Tasks = nil },
		"no events": func(o *Options) { o.Events = nil }, "no keys": func(o *Options) { o.Keys = nil },
		"no tenants": func(o *Options) { o.Tenant = nil }, "no callers": func(o *Options) { o.Callers = nil },
		"a tenant that is none": func(o *Options) { o.Callers[0].Tenant = "Clinic A" },
	} {
		o, _ := dependencies(t)
		spoil(&o)
		if _, err := New(o); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestWaitSaysWhatIsUnderWay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	f := b.follow(keyA)
	f.next(eventReady)
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("time is up")
	cancel(why)
	if err := b.Wait(ctx); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

// Whatever comes in, the answer is one of ours and repeats nothing.
func FuzzCreateTask(f *testing.F) {
	for _, c := range badBodies() {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(goodDemand))
	g := fuzzed(f)
	f.Fuzz(func(t *testing.T, body []byte) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/tasks", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+keyA)
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		if rec.Code >= 500 || rec.Code == http.StatusAccepted && !bytes.Contains(body, []byte(`kind`)) {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
		if rec.Code != http.StatusAccepted {
			(reply{rec.Result(), rec.Body.Bytes()}).code(t)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("/v1/practices/7/board", "date=2026-03-02", `"x"`)
	f.Add("/v1/patients/1001", "practice=7", "*")
	f.Add("/v1/providers/31/day", "practice=7&date=x", "W/")
	f.Add("/v1/tasks/sync-aaaaaaaaaaaaaaaaaaaaaaaaaa-1", "%zz", "")
	f.Add("/v1/../x//y", "a=b&a=c", "\x00")
	g := fuzzed(f)
	f.Fuzz(func(t *testing.T, path, query, etag string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header = http.Header{"Authorization": {"Bearer " + keyA}, "If-None-Match": {etag}}
		if g.route(r).stream {
			return // it would not end
		}
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		if rec.Code == http.StatusInternalServerError || rec.Code < http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	})
}

// fuzzed is a gateway without limits that stays for a whole run.
func fuzzed(t testing.TB) *Gateway {
	t.Helper()
	o, _ := dependencies(t)
	unlimited(&o)
	o.Limits.Wait = 1
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
