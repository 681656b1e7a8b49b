package gateway

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"
)

// Any body gets either a receipt or a problem, and never a 5xx.
func FuzzCreateTask(f *testing.F) {
	for _, c := range badBodies() {
		f.Add([]byte(c.body))
	}
	f.Add([]byte(goodDemand))
	g := newFuzzGateway(f)
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
			_ = (reply{rec.Result(), rec.Body.Bytes()}).code(t)
		}
	})
}

func FuzzRead(f *testing.F) {
	f.Add("/v1/practices/7/board", "date=2026-03-02", `"x"`)
	f.Add("/v1/patients/1001", "practice=7", "*")
	f.Add("/v1/providers/31/day", "practice=7&date=x", "W/")
	f.Add("/v1/tasks/sync-aaaaaaaaaaaaaaaaaaaaaaaaaa-1", "%zz", "")
	f.Add("/v1/../x//y", "a=b&a=c", "\x00")
	g := newFuzzGateway(f)
	f.Fuzz(func(t *testing.T, path, query, etag string) {
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
		r.URL.Path, r.URL.RawQuery = path, query
		r.Header = http.Header{"Authorization": {"Bearer " + keyA}, "If-None-Match": {etag}}
		if g.route(r).stream {
			return // a stream does not end
		}
		rec := httptest.NewRecorder()
		g.ServeHTTP(rec, r)
		if rec.Code == http.StatusInternalServerError || rec.Code < http.StatusOK {
			t.Fatalf("%d %s", rec.Code, rec.Body)
		}
	})
}

// newFuzzGateway returns a gateway without limits for all inputs of a fuzz run.
func newFuzzGateway(t testing.TB) *Gateway {
	t.Helper()
	o, _ := dependencies(t)
	unlimited(&o)
	o.Limits.ColdWait = 1
	g, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}
