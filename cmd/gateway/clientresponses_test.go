//go:build clients

package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// clientResponse is a response that a gateway, or a proxy in front of it, may send, and what a
// client has to make of it.
type clientResponse struct {
	status int
	header [2]string
	media  string
	body   string
	want   string // JSON
}

const (
	problemOnly = `{"status": %d, "code": "unknown", "retry_after": %s, "stale_reason": null}`
	gap         = `{"events": [{"id": "5", "kind": "gap", "data": {}}]}`
)

func clientResponses() map[string]clientResponse {
	past := time.Now().Add(-time.Hour).UTC().Format(http.TimeFormat)
	unknown := func(status int, after string) string { return fmt.Sprintf(problemOnly, status, after) }
	all := map[string]clientResponse{
		"date":                  {503, [2]string{"Retry-After", past}, "text/html", "<h1>busy</h1>", unknown(503, "0")},
		"date-850":              {503, [2]string{"Retry-After", "Sunday, 06-Nov-94 08:49:37 GMT"}, "text/html", "", unknown(503, "0")},
		"number":                {429, [2]string{"Retry-After", " 7 "}, "text/html", "", unknown(429, "7")},
		"negative":              {503, [2]string{"Retry-After", "-5"}, "text/html", "", unknown(503, "null")},
		"words":                 {503, [2]string{"Retry-After", "soon"}, "text/html", "", unknown(503, "null")},
		"array":                 {502, [2]string{}, "application/json", `["bad gateway"]`, unknown(502, "null")},
		"null":                  {502, [2]string{}, "application/json", "null", unknown(502, "null")},
		"string":                {502, [2]string{}, "application/json", `"bad gateway"`, unknown(502, "null")},
		"odd-code":              {502, [2]string{}, "application/json", `{"code": 7, "detail": null, "title": ["x"]}`, unknown(502, "null")},
		"problem":               {404, [2]string{}, "application/problem+json", `{"code": "not_found", "title": "x"}`, `{"status": 404, "code": "not_found", "retry_after": null, "stale_reason": null}`},
		"cold":                  {503, [2]string{"Retry-After", "2"}, "application/problem+json", `{"code": "cold", "stale_reason": "practice_denied"}`, `{"status": 503, "code": "cold", "retry_after": 2, "stale_reason": "practice_denied"}`},
		"odd-reason":            {503, [2]string{}, "application/problem+json", `{"code": "cold", "stale_reason": 7}`, `{"status": 503, "code": "cold", "retry_after": null, "stale_reason": null}`},
		"html":                  {200, [2]string{}, "text/html", "<h1>login</h1>", unknown(200, "null")},
		"not-a-document":        {200, [2]string{}, "application/json", "[]", unknown(200, "null")},
		"no-age":                {200, [2]string{}, "application/json", `{"rows": []}`, `{"age": null, "stale": null, "stale_reason": null, "document": {"rows": []}}`},
		"odd-age":               {200, [2]string{"Age", "new"}, "application/json", `{}`, `{"age": null, "stale": null, "stale_reason": null, "document": {}}`},
		"age":                   {200, [2]string{"Age", "12"}, "application/json", `{}`, `{"age": 12, "stale": null, "stale_reason": null, "document": {}}`},
		"stale-header":          {200, [2]string{"Data-Stale", "true"}, "application/json", `{}`, `{"age": null, "stale": true, "stale_reason": null, "document": {}}`},
		"stale-document":        {200, [2]string{}, "application/json", `{"stale": true}`, `{"age": null, "stale": true, "stale_reason": null, "document": {"stale": true}}`},
		"stale-both":            {200, [2]string{"Data-Stale", "false"}, "application/json", `{"stale": true}`, `{"age": null, "stale": true, "stale_reason": null, "document": {"stale": true}}`},
		"stale-odd":             {200, [2]string{"Data-Stale", "1"}, "application/json", `{"stale": "no"}`, `{"age": null, "stale": null, "stale_reason": null, "document": {"stale": "no"}}`},
		"fresh":                 {200, [2]string{}, "application/json", `{"stale": false}`, `{"age": null, "stale": false, "stale_reason": null, "document": {"stale": false}}`},
		"again-stale":           {304, [2]string{"Data-Stale", "true"}, "", `{"stale": false}`, `{"age": null, "stale": true, "stale_reason": null, "document": {"stale": false}}`},
		"again-fresh":           {304, [2]string{"Data-Stale", "false"}, "", `{"stale": false}`, `{"age": null, "stale": false, "stale_reason": null, "document": {"stale": false}}`},
		"again-unknown":         {304, [2]string{}, "", `{"stale": false}`, `{"age": null, "stale": null, "stale_reason": null, "document": {"stale": false}}`},
		"cut-problem":           {502, [2]string{"Content-Length", "100"}, "application/json", `{"code": "x"`, unknown(502, "null")},
		"cut-document":          {200, [2]string{"Content-Length", "100"}, "application/json", `{"stale": true}`, unknown(200, "null")},
		"date-offset":           {503, [2]string{"Retry-After", "Sun, 06 Nov 1994 08:49:37 +9999999999"}, "text/html", "", unknown(503, "null")},
		"date-year":             {503, [2]string{"Retry-After", "Sun, 06 Nov 99999 08:49:37 GMT"}, "text/html", "", unknown(503, "null")},
		"date-month":            {503, [2]string{"Retry-After", "Sun, 06 Foo 1994 08:49:37 GMT"}, "text/html", "", unknown(503, "null")},
		"date-hour":             {503, [2]string{"Retry-After", "Sun, 06 Nov 1994 99:49:37 GMT"}, "text/html", "", unknown(503, "null")},
		"date-words":            {503, [2]string{"Retry-After", "soon 5"}, "text/html", "", unknown(503, "null")},
		"stale-reason":          {200, [2]string{"Data-Stale-Reason", "practice_not_listed"}, "application/json", `{}`, `{"age": null, "stale": null, "document": {}, "stale_reason": "practice_not_listed"}`},
		"stale-reason-document": {200, [2]string{}, "application/json", `{"stale_reason": "practice_denied"}`, `{"age": null, "stale": null, "document": {"stale_reason": "practice_denied"}, "stale_reason": "practice_denied"}`},
		"304":                   {304, [2]string{}, "", "", unknown(304, "null")},
		"stream-html":           {200, [2]string{}, "text/html", "<h1>login</h1>", unknown(200, "null")},
	}
	for name, c := range map[string][2]string{
		"lf":       {"id: 5\nevent: gap\ndata: {}\n\n", gap},
		"crlf":     {"id: 5\r\nevent: gap\r\ndata: {}\r\n\r\n", gap},
		"cr":       {"id: 5\revent: gap\rdata: {}\r\r", gap},
		"no-blank": {"id:5\nevent:gap\ndata:{}\n\n", gap},
		"blanks":   {"id: 5\nevent: gap\ndata:   {}\n\n", gap},
		"comment":  {"id: 5\n: beat\nevent: gap\n:\ndata: {}\n\n", gap},
		"bom":      {"\ufeffid: 5\nevent: gap\ndata: {}\n\n", gap},
		"retry":    {"retry: 10\nother\nid: 5\nevent: gap\ndata: {}\n\n", gap},
		"lines":    {"id: 5\nevent: gap\ndata: {\"at\":\ndata: \"x\"}\n\n", `{"events": [{"id": "5", "kind": "gap", "data": {"at": "x"}}]}`},
		"no-id":    {"event: gap\ndata: {}\n\n", `{"events": [{"id": "", "kind": "gap", "data": {}}]}`},
		"no-kind":  {"id: 5\ndata: {}\n\n", `{"events": [{"id": "5", "kind": "message", "data": {}}]}`},
		"no-data":  {"id: 5\nevent: x\n\nevent: gap\ndata: {}\n\n", gap},
		"kept-id":  {"id: 5\nevent: gap\ndata: {}\n\nevent: a\ndata: {}\n\n", `{"events": [{"id": "5", "kind": "gap", "data": {}}, {"id": "5", "kind": "a", "data": {}}]}`},
		"cut":      {"id: 5\nevent: gap\ndata: {}\n\nid: 6\nevent: a\ndata: {\"at\"", gap},
		"cut-line": {"id: 5\nevent: gap\ndata: {}\n\nid: 6\nevent: a\ndata: {}\n", gap},
		"latin":    {"id: 5\n: caf\xe9\nevent: gap\ndata: {}\n\n", gap},
		"empty":    {"", `{"events": []}`},
	} {
		all["stream-"+name] = clientResponse{200, [2]string{}, "text/event-stream", c[0], c[1]}
	}
	return all
}

// Clients read each response as HTTP and the HTML standard define it, and report what is no
// document of the gateway as a Problem.
func TestClientResponses(t *testing.T) {
	t.Parallel()
	all := clientResponses()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		name, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		c := all[name]
		if c.media != "" {
			w.Header().Set("Content-Type", c.media)
		}
		if c.status == http.StatusNotModified && strings.HasPrefix(name, "again-") {
			w.Header().Set("ETag", `"a"`)
			if r.Header.Get("If-None-Match") == "" {
				w.WriteHeader(http.StatusOK)
				_, _ = w.Write([]byte(c.body))
				return
			}
		}
		if c.header[0] != "" {
			w.Header().Set(c.header[0], c.header[1])
		}
		w.WriteHeader(c.status)
		_, _ = w.Write([]byte(c.body))
	}))
	t.Cleanup(srv.Close)
	for language, command := range map[string][]string{
		"python":     {"python3", "../../clients/python/responses.py"},
		"typescript": {"node", "../../clients/typescript/dist/responses.js"},
	} {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			names := slices.Sorted(maps.Keys(all))
			cmd := exec.CommandContext(t.Context(), command[0], append(command[1:], names...)...)
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PYTHONDONTWRITEBYTECODE=1", "ROUNDS_URL=" + srv.URL, "ROUNDS_API_KEY=key",
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			lines := strings.Split(strings.TrimSpace(string(out)), "\n")
			if len(lines) != len(names) {
				t.Fatalf("%d of %d responses:\n%s", len(lines), len(names), out)
			}
			for i, name := range names {
				var got, want map[string]any
				if err := json.Unmarshal([]byte(all[name].want), &want); err != nil {
					t.Fatal(name, err)
				}
				want["name"] = name
				if err := json.Unmarshal([]byte(lines[i]), &got); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%s, want %v", lines[i], want)
				}
			}
			t.Logf("%d responses", len(names))
		})
	}
}
