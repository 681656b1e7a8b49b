package gateway

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/codes"
)

func TestBadHeaders(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 10<<20))
	_ = z.Close()
	const jwt = "eyJhbGciOiJub25lIn0.eyJhdWQiOiJvdGhlciIsImV4cCI6MX0."
	for name, c := range map[string]struct {
		body    string
		headers []string
		code    codes.Code
	}{
		"a gzip bomb":                 {bomb.String(), []string{"Content-Encoding", "gzip"}, codes.UnsupportedMediaType},
		"a form":                      {"kind=schedule.sync", []string{"Content-Type", "application/x-www-form-urlencoded"}, codes.UnsupportedMediaType},
		"plain text":                  {goodDemand, []string{"Content-Type", "text/plain"}, codes.UnsupportedMediaType},
		"XML":                         {"<a/>", []string{"Content-Type", "application/xml"}, codes.UnsupportedMediaType},
		"no content type":             {goodDemand, []string{"Content-Type", ""}, codes.UnsupportedMediaType},
		"another charset":             {goodDemand, []string{"Content-Type", "application/json; charset=utf-16"}, codes.UnsupportedMediaType},
		"an invalid content type":     {goodDemand, []string{"Content-Type", marker + ";;"}, codes.UnsupportedMediaType},
		"no key":                      {goodDemand, []string{"Authorization", ""}, codes.Unauthenticated},
		"an unknown key":              {goodDemand, []string{"Authorization", "Bearer " + marker}, codes.Unauthenticated},
		"an expired JWT":              {goodDemand, []string{"Authorization", "Bearer " + jwt}, codes.Unauthenticated},
		"another scheme":              {goodDemand, []string{"Authorization", "Basic " + keyA}, codes.Unauthenticated},
		"a key without a scheme":      {goodDemand, []string{"Authorization", keyA}, codes.Unauthenticated},
		"two spaces before a key":     {goodDemand, []string{"Authorization", "Bearer  " + keyA}, codes.Unauthenticated},
		"a long key":                  {goodDemand, []string{"Authorization", "Bearer " + strings.Repeat("k", 10_000)}, codes.Unauthenticated},
		"a long idempotency key":      {goodDemand, []string{"Idempotency-Key", strings.Repeat("k", 201)}, codes.InvalidIdempotencyKey},
		"a non-ASCII idempotency key": {goodDemand, []string{"Idempotency-Key", "schl\xc3\xbcssel"}, codes.InvalidIdempotencyKey},
	} {
		r := b.post("/v1/tasks", c.body, c.headers...)
		if got := r.code(t); got != c.code || bytes.Contains(r.body, []byte(marker)) {
			t.Errorf("%s: %s, want %s", name, r.body, c.code)
		}
		if (c.code == codes.Unauthenticated) != (r.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate %q", name, r.Header.Get("WWW-Authenticate"))
		}
	}
	twice := b.request(http.MethodPost, "/v1/tasks", keyA, goodDemand)
	twice.Header.Add("Authorization", "Bearer "+keyB)
	if got := b.do(twice).code(t); got != codes.Unauthenticated {
		t.Errorf("two Authorization headers: %s", got)
	}
	b.checkUnaffected()
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	for path, want := range map[string]codes.Code{
		"/v1/practices/7/board?date=" + marker:               codes.MalformedQuery,
		"/v1/practices/7/board?date=2026-02-30":              codes.MalformedQuery,
		"/v1/practices/7/board?" + marker + "=1":             codes.MalformedQuery,
		"/v1/practices/7/board?date=&date=":                  codes.MalformedQuery,
		"/v1/practices/7/board?date=%zz":                     codes.MalformedQuery,
		"/v1/practices/7/board?key=" + keyA:                  codes.MalformedQuery,
		"/v1/practices/" + marker + "/board":                 codes.NotFound,
		"/v1/practices/7%2fboard":                            codes.NotFound,
		"/v1/practices/7/board/":                             codes.NotFound,
		"/v1//tasks/x":                                       codes.NotFound,
		"/v1/practices/../tasks/x":                           codes.NotFound,
		"/v1/tasks/" + marker:                                codes.NotFound,
		"/v1/tasks/sync-*-1":                                 codes.NotFound,
		"/v1/patients/%00?practice=7":                        codes.NotFound,
		"/v1/patients/1%3A2?practice=7":                      codes.NotFound,
		"/v1/providers/%7B1%7D/day?practice=7":               codes.NotFound,
		"/v1/patients/1001?practice=" + marker:               codes.NotFound,
		"/v1/tasks":                                          codes.MethodNotAllowed,
		"/" + marker:                                         codes.NotFound,
		"/problems/" + marker:                                codes.NotFound,
		"/v1/tasks/" + strings.Repeat("x", maxURL):           codes.URLTooLong,
		"/v1/practices/7/board?" + strings.Repeat("y", 3000): codes.URLTooLong,
	} {
		r := b.get(path)
		if got := r.code(t); got != want || bytes.Contains(r.body, []byte(marker)) {
			t.Errorf("%.80s: %s, want %s", path, r.body, want)
		}
	}
	if r := b.do(b.request(http.MethodDelete, "/v1/tasks", keyA, "")); r.code(t) != codes.MethodNotAllowed || r.Header.Get("Allow") != "POST" {
		t.Errorf("DELETE: %d %v", r.StatusCode, r.Header)
	}
	// A key in the query does not count, and no header changes a request's method, path or client.
	if r := b.do(b.request(http.MethodGet, "/v1/practices/7/board?authorization="+url.QueryEscape("Bearer "+keyA), "", "")); r.code(t) != codes.Unauthenticated {
		t.Errorf("a key in the query: %d", r.StatusCode)
	}
	r := b.get("/v1/tasks", "X-HTTP-Method-Override", "POST", "X-Forwarded-For", "127.0.0.1", "X-Original-URL", "/openapi.json", "X-Forwarded-Host", marker)
	if r.code(t) != codes.MethodNotAllowed {
		t.Errorf("override headers: %d", r.StatusCode)
	}
	b.checkUnaffected()
}
