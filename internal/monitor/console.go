package monitor

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strconv"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// consolePath is where asynqmon is mounted for both roles.
const consolePath = "/asynqmon"

// console is asynqmon, once for each role, without what that role may not see or do.
type console struct {
	rdb       redis.UniversalClient
	ledger    *ledger.Ledger
	inspector *asynq.Inspector
	producer  *queue.Producer
	sampler   *sampler
	mounts    map[access.Role]mount
}

// mount is asynqmon for one role.
type mount struct {
	handler http.Handler
	index   string // its page, with a placeholder for the nonce
}

// connection passes our client to asynqmon. Nothing of asynqmon is ever closed, because that would
// close the client.
type connection struct{ rdb redis.UniversalClient }

// MakeRedisClient implements asynq.RedisConnOpt.
func (c connection) MakeRedisClient() any { return c.rdb }

func newConsole(rdb redis.UniversalClient, l *ledger.Ledger, w *sampler) (*console, error) {
	c := &console{
		rdb: rdb, ledger: l, sampler: w, mounts: map[access.Role]mount{},
		inspector: asynq.NewInspectorFromRedisClient(rdb), producer: queue.NewProducer(rdb),
	}
	for _, role := range []access.Role{access.Viewer, access.Operator} {
		handler := asynqmon.New(asynqmon.Options{
			RootPath: consolePath, RedisConnOpt: connection{rdb}, ReadOnly: role == access.Viewer,
			PayloadFormatter: asynqmon.PayloadFormatterFunc(describeBytes), ResultFormatter: asynqmon.ResultFormatterFunc(describeBytes),
		})
		index, err := cleanIndex(handler)
		if err != nil {
			return nil, err
		}
		c.mounts[role] = mount{handler: handler, index: index}
	}
	return c, nil
}

// describeBytes replaces payloads and results by their length. asynqmon formats the result of a
// single task without a type; such data is not described at all.
func describeBytes(kind string, data []byte) string {
	switch {
	case kind == "":
		return "not shown"
	case len(data) == 0:
		return "empty"
	}
	return strconv.Itoa(len(data)) + " bytes, sealed"
}

// nonce is the placeholder in the cleaned page that each response replaces by its own nonce.
const nonce = "@nonce@"

// backLink is inserted into asynqmon's page, which has no link to other pages.
const backLink = `<style nonce="` + nonce + `">#way-back{position:fixed;top:20px;right:24px;z-index:2000;font:16px system-ui,sans-serif;color:#0b5e66}` +
	`@media(prefers-color-scheme:dark){#way-back{color:#6cc9d2}}</style><a id="way-back" href="/now">Now</a>`

var (
	foreignLink  = regexp.MustCompile(`<link rel="stylesheet" href="https?://[^"]*"/>`)
	manifestLink = regexp.MustCompile(`<link rel="manifest"[^>]*>`)
)

// cleanIndex returns asynqmon's page without its links to other hosts, with a nonce for its two
// inline scripts and for the styles that its library creates in the browser, and with a link back
// to our pages.
func cleanIndex(handler http.Handler) (string, error) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, consolePath+"/", nil)
	if err != nil {
		return "", fmt.Errorf("read asynqmon's page: %w", err)
	}
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, r)
	page := foreignLink.ReplaceAllString(rec.Body.String(), "")
	page = manifestLink.ReplaceAllString(page, "")
	inline := strings.Count(page, "<script>")
	page = strings.ReplaceAll(page, "<script>", `<script nonce="`+nonce+`">`)
	page = strings.Replace(page, "<head>", `<head><meta property="csp-nonce" content="`+nonce+`"/>`, 1)
	page = strings.Replace(page, "<body>", "<body>"+backLink, 1)
	if rec.Code != http.StatusOK || inline != 2 || strings.Count(page, nonce) != 4 || strings.Contains(page, `="http`) {
		return "", errors.New("asynqmon's page differs from the version that this program can clean")
	}
	return page, nil
}

// serve handles everything below consolePath.
func (c *console) serve(w http.ResponseWriter, r *http.Request, user access.Login) {
	rest := strings.TrimPrefix(r.URL.Path, consolePath)
	switch api, ok := strings.CutPrefix(rest, "/api/"); {
	case ok && readOnly(r.Method):
		c.read(w, r, user, api)
	case ok:
		c.act(w, r, user, api)
	case !readOnly(r.Method):
		http.Error(w, "this path accepts no changes", http.StatusMethodNotAllowed)
	case mediaType(rest) != "":
		c.asset(w, r, user, rest)
	default:
		c.page(w, user)
	}
}

func readOnly(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// page responds with asynqmon's page, which serves all of its own paths.
func (c *console) page(w http.ResponseWriter, user access.Login) {
	n := rand.Text()
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self' 'nonce-"+n+"'; style-src 'self' 'nonce-"+n+"'; "+
		"img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
	_, _ = strings.NewReader(strings.ReplaceAll(c.mounts[user.Role].index, nonce, n)).WriteTo(w)
}

// mediaType returns the type of asynqmon's own files, and "" for other paths. Its source maps,
// which are five megabytes, are left out.
func mediaType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	case ".png":
		return "image/png"
	case ".ico":
		return "image/x-icon"
	}
	return ""
}

// htmlStart is the beginning of asynqmon's page.
const htmlStart = "<!doctype html"

// asset responds with a file of asynqmon. Files whose name contains a digest of their content never
// change.
func (c *console) asset(w http.ResponseWriter, r *http.Request, user access.Login, name string) {
	rec := &responseBuffer{header: http.Header{}, status: http.StatusOK, limit: maxAsset}
	c.mounts[user.Role].handler.ServeHTTP(rec, r)
	// asynqmon responds with its page for a file that does not exist.
	if rec.status != http.StatusOK || rec.over || bytes.HasPrefix(rec.body.Bytes(), []byte(htmlStart)) {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mediaType(name))
	if strings.HasPrefix(name, "/static/") {
		w.Header().Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	_, _ = rec.body.WriteTo(w)
}

const (
	maxAsset  = 2 << 20
	maxAnswer = 8 << 20
)

// responseBuffer holds a response until it has been checked.
type responseBuffer struct {
	header http.Header
	status int
	body   bytes.Buffer
	limit  int
	over   bool
}

func (c *responseBuffer) Header() http.Header { return c.header }

func (c *responseBuffer) WriteHeader(status int) { c.status = status }

func (c *responseBuffer) Write(p []byte) (int, error) {
	if c.body.Len()+len(p) > c.limit {
		c.over = true
		return 0, errTooLarge
	}
	return c.body.Write(p)
}

var errTooLarge = errors.New("response is too large")
