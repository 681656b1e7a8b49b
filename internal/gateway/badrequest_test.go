package gateway

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/url"
	"strings"
	"testing"
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
		code    code
	}{
		"a gzip bomb":                 {bomb.String(), []string{"Content-Encoding", "gzip"}, codeMediaType},
		"a form":                      {"kind=schedule.sync", []string{"Content-Type", "application/x-www-form-urlencoded"}, codeMediaType},
		"plain text":                  {goodDemand, []string{"Content-Type", "text/plain"}, codeMediaType},
		"XML":                         {"<a/>", []string{"Content-Type", "application/xml"}, codeMediaType},
		"no content type":             {goodDemand, []string{"Content-Type", ""}, codeMediaType},
		"another charset":             {goodDemand, []string{"Content-Type", "application/json; charset=utf-16"}, codeMediaType},
		"an invalid content type":     {goodDemand, []string{"Content-Type", marker + ";;"}, codeMediaType},
		"no key":                      {goodDemand, []string{"Authorization", ""}, codeUnauthenticated},
		"an unknown key":              {goodDemand, []string{"Authorization", "Bearer " + marker}, codeUnauthenticated},
		"an expired JWT":              {goodDemand, []string{"Authorization", "Bearer " + jwt}, codeUnauthenticated},
		"another scheme":              {goodDemand, []string{"Authorization", "Basic " + keyA}, codeUnauthenticated},
		"a key without a scheme":      {goodDemand, []string{"Authorization", keyA}, codeUnauthenticated},
		"two spaces before a key":     {goodDemand, []string{"Authorization", "Bearer  " + keyA}, codeUnauthenticated},
		"a long key":                  {goodDemand, []string{"Authorization", "Bearer " + strings.Repeat("k", 10_000)}, codeUnauthenticated},
		"a long idempotency key":      {goodDemand, []string{"Idempotency-Key", strings.Repeat("k", 201)}, codeIdempotency},
		"a non-ASCII idempotency key": {goodDemand, []string{"Idempotency-Key", "schl\xc3\xbcssel"}, codeIdempotency},
	} {
		r := b.post("/v1/tasks", c.body, c.headers...)
		if got := r.code(t); got != string(c.code) || bytes.Contains(r.body, []byte(marker)) {
			t.Errorf("%s: %s, want %s", name, r.body, c.code)
		}
		if (c.code == codeUnauthenticated) != (r.Header.Get("WWW-Authenticate") != "") {
			t.Errorf("%s: WWW-Authenticate %q", name, r.Header.Get("WWW-Authenticate"))
		}
	}
	twice := b.request(http.MethodPost, "/v1/tasks", keyA, goodDemand)
	twice.Header.Add("Authorization", "Bearer "+keyB)
	if got := b.do(twice).code(t); got != string(codeUnauthenticated) {
		t.Errorf("two Authorization headers: %s", got)
	}
	b.checkUnaffected()
}

func TestBadURLs(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	for path, want := range map[string]code{
		"/v1/practices/7/board?date=" + marker:               codeQuery,
		"/v1/practices/7/board?date=2026-02-30":              codeQuery,
		"/v1/practices/7/board?" + marker + "=1":             codeQuery,
		"/v1/practices/7/board?date=&date=":                  codeQuery,
		"/v1/practices/7/board?date=%zz":                     codeQuery,
		"/v1/practices/7/board?key=" + keyA:                  codeQuery,
		"/v1/practices/" + marker + "/board":                 codeNotFound,
		"/v1/practices/7%2fboard":                            codeNotFound,
		"/v1/practices/7/board/":                             codeNotFound,
		"/v1//tasks/x":                                       codeNotFound,
		"/v1/practices/../tasks/x":                           codeNotFound,
		"/v1/tasks/" + marker:                                codeNotFound,
		"/v1/tasks/sync-*-1":                                 codeNotFound,
		"/v1/patients/%00?practice=7":                        codeNotFound,
		"/v1/patients/1%3A2?practice=7":                      codeNotFound,
		"/v1/providers/%7B1%7D/day?practice=7":               codeNotFound,
		"/v1/patients/1001?practice=" + marker:               codeNotFound,
		"/v1/tasks":                                          codeMethod,
		"/" + marker:                                         codeNotFound,
		"/problems/" + marker:                                codeNotFound,
		"/v1/tasks/" + strings.Repeat("x", maxURL):           codeLongURL,
		"/v1/practices/7/board?" + strings.Repeat("y", 3000): codeLongURL,
	} {
		r := b.get(path)
		if got := r.code(t); got != string(want) || bytes.Contains(r.body, []byte(marker)) {
			t.Errorf("%.80s: %s, want %s", path, r.body, want)
		}
	}
	if r := b.do(b.request(http.MethodDelete, "/v1/tasks", keyA, "")); r.code(t) != string(codeMethod) || r.Header.Get("Allow") != "POST" {
		t.Errorf("DELETE: %d %v", r.StatusCode, r.Header)
	}
	// A key in the query does not count, and no header changes a request's method, path or client.
	if r := b.do(b.request(http.MethodGet, "/v1/practices/7/board?authorization="+url.QueryEscape("Bearer "+keyA), "", "")); r.code(t) != string(codeUnauthenticated) {
		t.Errorf("a key in the query: %d", r.StatusCode)
	}
	r := b.get("/v1/tasks", "X-HTTP-Method-Override", "POST", "X-Forwarded-For", "127.0.0.1", "X-Original-URL", "/openapi.json", "X-Forwarded-Host", marker)
	if r.code(t) != string(codeMethod) {
		t.Errorf("override headers: %d", r.StatusCode)
	}
	b.checkUnaffected()
}
