package gateway

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/workflow-bolt/rounds/internal/queue"
)

// marker stands in inputs where a value may be echoed by mistake.
const marker = "Zqx7Marker"

// goodDemand is one that is taken.
const goodDemand = `{"kind":"schedule.sync","args":{"practice":"7","from":"2026-03-02","to":"2026-03-02"}}`

// args is a demand of a kind.
func args(kind, args string) string { return `{"kind":"` + kind + `","args":` + args + `}` }

// with is goodDemand with one more member.
func with(member string) string { return strings.TrimSuffix(goodDemand, "}") + "," + member + "}" }

func appointment(id string) string {
	return args("entity.invalidate", `{"practice":"7","noun":"appointment","id":`+id+`}`)
}

// badBodies are bodies of POST /v1/tasks with the code each is refused with.
func badBodies() map[string]struct {
	body string
	code code
} {
	type row = struct {
		body string
		code code
	}
	bom := "\xef\xbb\xbf"
	var wide bytes.Buffer
	for _, u := range utf16.Encode([]rune(goodDemand)) {
		wide.Write([]byte{byte(u), byte(u >> 8)})
	}
	var members strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&members, `"m%d":1,`, i)
	}
	return map[string]row{
		"1 empty":                       {"", codeBody},
		"1 blank":                       {" \n", codeBody},
		"2 null":                        {"null", codeBody},
		"3 an array":                    {"[]", codeBody},
		"4 a string":                    {`"` + marker + `"`, codeBody},
		"5 unclosed":                    {`{"kind":"schedule.sync","args":{"practice":"` + marker, codeBody},
		"6 two documents":               {goodDemand + goodDemand, codeBody},
		"7 garbage behind it":           {goodDemand + marker, codeBody},
		"13 UTF-16":                     {wide.String(), codeBody},
		"13 a byte order mark":          {bom + goodDemand, codeBody},
		"14 invalid UTF-8":              {args("schedule.sync", "{\"practice\":\"7\xff\",\"from\":\"2026-03-02\",\"to\":\"2026-03-02\"}"), codeBody},
		"15 a NUL in an id":             {appointment(`"9\u00001"`), codeArguments},
		"16 deep":                       {args("schedule.sync", strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)), codeBody},
		"17 5,000 members":              {"{" + members.String() + `"kind":"schedule.sync"}`, codeBody},
		"18 a member twice":             {`{"kind":"schedule.sync",` + goodDemand[1:], codeBody},
		"18 an argument twice":          {args("directory.sync", `{"practice":"7","practice":"8"}`), codeBody},
		"19 a member in capitals":       {strings.Replace(goodDemand, "kind", "Kind", 1), codeBody},
		"19 an argument in capitals":    {args("directory.sync", `{"Practice":"7"}`), codeArguments},
		"20 an unknown member":          {with(`"` + marker + `":1`), codeBody},
		"20 an unknown argument":        {args("directory.sync", `{"practice":"7","`+marker+`":1}`), codeArguments},
		"21 no kind":                    {`{"args":{"practice":"7"}}`, codeKind},
		"21 no arguments":               {`{"kind":"directory.sync"}`, codeArguments},
		"21 null for arguments":         {args("directory.sync", "null"), codeArguments},
		"21 no practice":                {args("directory.sync", `{}`), codeArguments},
		"21 no from":                    {args("schedule.sync", `{"practice":"7","to":"2026-03-02"}`), codeArguments},
		"21 no to":                      {args("schedule.sync", `{"practice":"7","from":"2026-03-02"}`), codeArguments},
		"21 no patient":                 {args("patient.sync", `{"practice":"7"}`), codeArguments},
		"21 no noun":                    {args("entity.invalidate", `{"practice":"7","id":"1"}`), codeArguments},
		"22 a number for a text":        {args("directory.sync", `{"practice":7}`), codeArguments},
		"22 a text for a flag":          {with(`"interactive":"true"`), codeBody},
		"22 a number for the kind":      {`{"kind":7,"args":{}}`, codeBody},
		"22 a text for the arguments":   {args("directory.sync", `"7"`), codeArguments},
		"23 1e400":                      {args("directory.sync", `{"practice":1e400}`), codeArguments},
		"23 NaN":                        {args("directory.sync", `{"practice":NaN}`), codeBody},
		"23 minus zero":                 {appointment(`-0`), codeArguments},
		"23 2^53+1 as a number":         {appointment(`9007199254740993`), codeArguments},
		"24 id 0":                       {appointment(`"0"`), codeArguments},
		"24 id -1":                      {appointment(`"-1"`), codeArguments},
		"24 id 2^63":                    {appointment(`"9223372036854775808"`), codeArguments},
		"25 an unknown kind":            {args(marker, `{}`), codeKind},
		"25 a kind that begins right":   {args("schedule.sync.now", `{}`), codeKind},
		"26 a kind for ourselves":       {args("throttles.sync", `{"practice":"7"}`), codeKind},
		"27 a tenant":                   {with(`"tenant":"clinic-b"`), codeBody},
		"27 another tenant's practice":  {args("directory.sync", `{"practice":"9"}`), codeNotFound},
		"28 an unknown noun":            {args("entity.invalidate", `{"practice":"7","noun":"`+marker+`","id":"1"}`), codeArguments},
		"28 a noun in capitals":         {args("entity.invalidate", `{"practice":"7","noun":"Appointment","id":"1"}`), codeArguments},
		"28 a noun with a space":        {args("entity.invalidate", `{"practice":"7","noun":"appointment ","id":"1"}`), codeArguments},
		"28 a noun of other letters":    {args("entity.invalidate", `{"practice":"7","noun":"аppointment","id":"1"}`), codeArguments},
		"28 an unknown view":            {args("view.warm", `{"view":"`+marker+`","practice":"7","date":"2026-03-02"}`), codeArguments},
		"31 an id with a colon":         {appointment(`"1:2"`), codeArguments},
		"31 an id with a brace":         {appointment(`"{1}"`), codeArguments},
		"31 an id with a star":          {appointment(`"*"`), codeArguments},
		"31 an id with a newline":       {appointment(`"1\n2"`), codeArguments},
		"31 a practice with a bracket":  {args("directory.sync", `{"practice":"7["}`), codeArguments},
		"32 an id of 10 kB":             {appointment(`"` + strings.Repeat("9", 10_000) + `"`), codeArguments},
		"32 an empty id":                {appointment(`""`), codeArguments},
		"32 an id of spaces":            {appointment(`"   "`), codeArguments},
		"33 a queue":                    {with(`"queue":"interactive"`), codeBody},
		"33 a lane":                     {with(`"lane":"push"`), codeBody},
		"33 a priority":                 {with(`"priority":9`), codeBody},
		"34 the year 9999":              {with(`"at":"9999-12-31T23:59:59Z"`), codeTime},
		"34 the year 1969":              {with(`"at":"1969-12-31T23:59:59Z"`), codeTime},
		"34 no time at all":             {with(`"at":"0001-01-01T00:00:00Z"`), codeTime},
		"34 a time without a zone":      {with(`"at":"2026-03-02T18:00:00"`), codeBody},
		"35 a delay below zero":         {with(`"delay":-1`), codeBody},
		"35 a delay of 10^18":           {with(`"delay":1000000000000000000`), codeBody},
		"36 a timeout of 500 ms":        {with(`"timeout":"500ms"`), codeBody},
		"36 a timeout of nothing":       {with(`"timeout":0`), codeBody},
		"38 a batch":                    {"[" + strings.Repeat(goodDemand+",", 500) + goodDemand + "]", codeBody},
		"a day that no calendar has":    {args("schedule.sync", `{"practice":"7","from":"2026-02-30","to":"2026-03-02"}`), codeArguments},
		"days that run backwards":       {args("schedule.sync", `{"practice":"7","from":"2026-03-02","to":"2026-03-01"}`), codeArguments},
		"days without end":              {args("schedule.sync", `{"practice":"7","from":"1900-01-01","to":"2199-12-31"}`), codeArguments},
		"a provider for the day board":  {args("view.warm", `{"view":"day-board","practice":"7","date":"2026-03-02","provider":"3"}`), codeArguments},
		"a flag that is neither of two": {with(`"interactive":null,"interactive":true`), codeBody},
	}
}

// untouched checks that nothing was enqueued, that nothing of an input is in the log, and that a good one is taken now.
func (b *bundle) untouched() {
	b.t.Helper()
	if n, err := queue.Depth(b.t.Context(), b.queue); err != nil || n != 0 {
		b.t.Errorf("%d tasks of what was refused (%v)", n, err)
	}
	if strings.Contains(b.log.String(), marker) {
		b.t.Errorf("the log repeats what came in: %s", b.log)
	}
	if r := b.post("/v1/tasks", goodDemand); r.StatusCode != http.StatusAccepted {
		b.t.Errorf("a good demand afterwards: %d %s", r.StatusCode, r.body)
	}
}

func unlimited(o *Options) {
	o.Limits.Rate, o.Limits.Burst, o.Limits.Running, o.Limits.Unknown = math.MaxInt32, math.MaxInt32, 2000, math.MaxInt32
}

func TestBadBodies(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	for name, c := range badBodies() {
		first := b.post("/v1/tasks", c.body, "Content-Type", "application/json")
		if got := first.code(t); got != string(c.code) {
			t.Errorf("%s: %s, want %s (%s)", name, got, c.code, first.body)
		}
		again := b.post("/v1/tasks", c.body, "Content-Type", "application/json")
		if again.StatusCode != first.StatusCode || !bytes.Equal(again.body, first.body) {
			t.Errorf("%s: another answer the second time: %s", name, again.body)
		}
		if bytes.Contains(first.body, []byte(marker)) || len(first.body) > 500 {
			t.Errorf("%s: the answer repeats what came in: %s", name, first.body)
		}
	}
	b.untouched()
}

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
		"11 a gzip bomb":            {bomb.String(), []string{"Content-Encoding", "gzip"}, codeMediaType},
		"12 a form":                 {"kind=schedule.sync", []string{"Content-Type", "application/x-www-form-urlencoded"}, codeMediaType},
		"12 a text":                 {goodDemand, []string{"Content-Type", "text/plain"}, codeMediaType},
		"12 XML":                    {"<a/>", []string{"Content-Type", "application/xml"}, codeMediaType},
		"12 no type":                {goodDemand, []string{"Content-Type", ""}, codeMediaType},
		"12 another charset":        {goodDemand, []string{"Content-Type", "application/json; charset=utf-16"}, codeMediaType},
		"12 no type that is one":    {goodDemand, []string{"Content-Type", marker + ";;"}, codeMediaType},
		"37 no key":                 {goodDemand, []string{"Authorization", ""}, codeUnauthenticated},
		"37 an unknown key":         {goodDemand, []string{"Authorization", "Bearer " + marker}, codeUnauthenticated},
		"37 an expired JWT":         {goodDemand, []string{"Authorization", "Bearer " + jwt}, codeUnauthenticated},
		"37 another scheme":         {goodDemand, []string{"Authorization", "Basic " + keyA}, codeUnauthenticated},
		"37 a key without a scheme": {goodDemand, []string{"Authorization", keyA}, codeUnauthenticated},
		"37 a key and a space":      {goodDemand, []string{"Authorization", "Bearer  " + keyA}, codeUnauthenticated},
		"37 a long key":             {goodDemand, []string{"Authorization", "Bearer " + strings.Repeat("k", 10_000)}, codeUnauthenticated},
		"a long idempotency key":    {goodDemand, []string{"Idempotency-Key", strings.Repeat("k", 201)}, codeIdempotency},
		"a key of other letters":    {goodDemand, []string{"Idempotency-Key", "schl\xc3\xbcssel"}, codeIdempotency},
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
		t.Errorf("two keys: %s", got)
	}
	b.untouched()
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
	// 37: a key in the query is none. 39: nothing lets a request pass for another.
	if r := b.do(b.request(http.MethodGet, "/v1/practices/7/board?authorization="+url.QueryEscape("Bearer "+keyA), "", "")); r.code(t) != string(codeUnauthenticated) {
		t.Errorf("a key in the query: %d", r.StatusCode)
	}
	r := b.get("/v1/tasks", "X-HTTP-Method-Override", "POST", "X-Forwarded-For", "127.0.0.1", "X-Original-URL", "/openapi.json", "X-Forwarded-Host", marker)
	if r.code(t) != string(codeMethod) {
		t.Errorf("headers that ask for another request: %d", r.StatusCode)
	}
	b.untouched()
}

// endless is a body without end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

// 8: however large the body is said to be or is, little of it is read.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, length := range map[string]int64{"of a said length": 200 << 20, "in chunks": -1} {
		body := &endless{}
		r := b.request(http.MethodPost, "/v1/tasks", keyA, "x")
		r.Body, r.ContentLength = io.NopCloser(body), length
		resp, err := b.client.Do(r)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "reset") || strings.Contains(err.Error(), "broken pipe") {
				continue // the server had answered and hung up while we were still sending
			}
			t.Fatal(err)
		}
		data, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := (reply{resp, data}).code(t); got != string(codeLarge) {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, body := range map[string]string{
		"16 depth 100,000": args("schedule.sync", strings.Repeat("[", 100_000)),
		"17 10^6 members":  "{" + strings.Repeat(`"m":1,`, 1_000_000) + "}",
		"38 100,000 tasks": "[" + strings.Repeat(goodDemand+",", 100_000) + "]",
	} {
		rec := httptest.NewRecorder()
		b.ServeHTTP(rec, b.request(http.MethodPost, "/v1/tasks", keyA, body))
		if rec.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	b.untouched()
}

// raw sends bytes and returns the answers to them, as far as there are any.
func (b *bundle) raw(half bool, text string) []int {
	b.t.Helper()
	conn, err := (&net.Dialer{}).DialContext(b.t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		b.t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	if _, err := conn.Write([]byte(text)); err != nil {
		b.t.Fatal(err)
	}
	if tcp, ok := conn.(*net.TCPConn); ok && half {
		_ = tcp.CloseWrite()
	}
	var codes []int
	for in := bufio.NewReader(conn); ; {
		resp, err := http.ReadResponse(in, nil)
		if err != nil {
			return codes
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		codes = append(codes, resp.StatusCode)
		if resp.Close {
			return codes
		}
	}
}

// 9, 10 and 39: bodies that do not come, and lengths that do not fit.
func TestBodiesThatDoNotFitTheirLength(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.BodyTime = 100 * time.Millisecond })
	head := "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + keyA + "\r\nContent-Type: application/json\r\n"
	length := func(n int) string { return fmt.Sprintf("Content-Length: %d\r\n", n) }
	for name, c := range map[string]struct {
		half bool
		text string
		want []int
	}{
		"9 slower than a second a byte": {false, head + length(100) + "\r\n{", []int{408}},
		"10 longer than it is":          {true, head + length(len(goodDemand)+9) + "\r\n" + goodDemand, []int{400}},
		"10 shorter than it is":         {true, head + length(5) + "\r\n" + goodDemand, []int{400, 400}},
		"39 two lengths":                {true, head + length(3) + length(5) + "\r\n{}   ", []int{400}},
		"39 a length that is none":      {true, head + "Content-Length: +5\r\n\r\n{}   ", []int{400}},
		"39 an unknown encoding":        {true, head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{501}},
		"39 chunks and a length":        {true, head + length(4) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		"39 a space before the colon":   {true, head + "Content-Length : 4\r\n\r\n{}  ", []int{400}},
		"39 a header that goes on":      {true, "GET /v1/tasks/x HTTP/1.1\r\nHost: x\r\n Authorization: Bearer " + keyA + "\r\n\r\n", []int{400}},
		"39 headers without end":        {true, "GET /v1/tasks/x HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", []int{431}},
	} {
		if got := b.raw(c.half, c.text); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	b.untouched()
}

// 29 and 30: one key is one demand, whoever comes at once.
func TestIdempotencyKeys(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	var mu sync.Mutex
	ids := map[string]int{}
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			for range 50 {
				rec := httptest.NewRecorder()
				b.ServeHTTP(rec, b.request(http.MethodPost, "/v1/tasks", keyA, goodDemand, "Idempotency-Key", "order 1"))
				var got receipt
				reply{body: rec.Body.Bytes()}.json(t, &got)
				mu.Lock()
				ids[got.ID]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if n, err := queue.Depth(t.Context(), b.queue); len(ids) != 1 || n != 1 || err != nil {
		t.Errorf("%d tasks for a thousand demands: %v (%v)", n, ids, err)
	}
	other := b.post("/v1/tasks", args("directory.sync", `{"practice":"7"}`), "Idempotency-Key", "order 1")
	if other.code(t) != string(codeReused) {
		t.Errorf("another demand with the key: %s", other.body)
	}
	if r := b.do(b.request(http.MethodPost, "/v1/tasks", keyB, args("directory.sync", `{"practice":"9"}`), "Idempotency-Key", "order 1")); r.StatusCode != http.StatusAccepted {
		t.Errorf("another tenant's key of the same name: %d %s", r.StatusCode, r.body)
	}
}

// 40: whoever leaves without waiting finds out later what became of the demand.
func TestWhoLeavesFindsOutLater(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", strings.TrimPrefix(b.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = fmt.Fprintf(conn, "POST /v1/tasks HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nIdempotency-Key: gone\r\nContent-Length: %d\r\n\r\n%s",
		keyA, len(goodDemand), goodDemand)
	if err = errors.Join(err, conn.Close()); err != nil {
		t.Fatal(err)
	}
	var got receipt
	r := b.post("/v1/tasks", goodDemand, "Idempotency-Key", "gone")
	r.json(t, &got)
	if r.StatusCode != http.StatusAccepted || b.get(r.Header.Get("Location")).StatusCode != http.StatusOK {
		t.Errorf("%d %s", r.StatusCode, r.body)
	}
	if n, err := queue.Depth(t.Context(), b.queue); err != nil || n != 1 {
		t.Errorf("%d tasks (%v)", n, err)
	}
}
