package gateway

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// endlessBody is a body without end.
type endlessBody struct{ read int }

func (e *endlessBody) Read(p []byte) (int, error) {
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
		body := &endlessBody{}
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
	b.checkUnaffected()
}

// sendRaw sends bytes and returns the answers to them, as far as there are any.
func (b *bundle) sendRaw(half bool, text string) []int {
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
func TestBodyLengthMismatch(t *testing.T) {
	t.Parallel()
	b := setup(t, func(o *Options) { o.Limits.BodyTimeout = 100 * time.Millisecond })
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
		if got := b.sendRaw(c.half, c.text); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	b.checkUnaffected()
}
