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

	"github.com/workflow-bolt/rounds/internal/codes"
)

// endlessBody is a body that never ends.
type endlessBody struct{ read int }

func (e *endlessBody) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

// A body that is too large, or declared too large, is refused without being read to its end.
func TestLargeBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, length := range map[string]int64{"with a declared length": 200 << 20, "in chunks": -1} {
		body := &endlessBody{}
		r := b.request(http.MethodPost, "/v1/tasks", keyA, "x")
		r.Body, r.ContentLength = io.NopCloser(body), length
		resp, err := b.client.Do(r)
		if err != nil {
			if errors.Is(err, net.ErrClosed) || strings.Contains(err.Error(), "reset") || strings.Contains(err.Error(), "broken pipe") {
				continue // the server answered and closed the connection while the client was sending
			}
			t.Fatal(err)
		}
		data, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if got := (reply{resp, data}).code(t); got != codes.BodyTooLarge {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, body := range map[string]string{
		"depth 100,000": args("schedule.sync", strings.Repeat("[", 100_000)),
		"10^6 members":  "{" + strings.Repeat(`"m":1,`, 1_000_000) + "}",
		"100,000 tasks": "[" + strings.Repeat(goodDemand+",", 100_000) + "]",
	} {
		rec := httptest.NewRecorder()
		b.ServeHTTP(rec, b.request(http.MethodPost, "/v1/tasks", keyA, body))
		if rec.Code != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %d %s", name, rec.Code, rec.Body)
		}
	}
	b.checkUnaffected()
}

// sendRaw sends bytes and returns the statuses of the responses. With half, it closes the
// connection for writing after them.
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

// Bodies that arrive too slowly, and lengths that do not match the body, are refused.
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
		"a body that never completes": {false, head + length(100) + "\r\n{", []int{408}},
		"a length beyond the body":    {true, head + length(len(goodDemand)+9) + "\r\n" + goodDemand, []int{400}},
		"a length short of the body":  {true, head + length(5) + "\r\n" + goodDemand, []int{400, 400}},
		"two lengths":                 {true, head + length(3) + length(5) + "\r\n{}   ", []int{400}},
		"an invalid length":           {true, head + "Content-Length: +5\r\n\r\n{}   ", []int{400}},
		"an unknown encoding":         {true, head + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", []int{501}},
		"chunks and a length":         {true, head + length(4) + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", []int{400}},
		"a space before the colon":    {true, head + "Content-Length : 4\r\n\r\n{}  ", []int{400}},
		"a folded header":             {true, "GET /v1/tasks/x HTTP/1.1\r\nHost: x\r\n Authorization: Bearer " + keyA + "\r\n\r\n", []int{400}},
		"headers that are too long":   {true, "GET /v1/tasks/x HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 64<<10) + "\r\n\r\n", []int{431}},
	} {
		if got := b.sendRaw(c.half, c.text); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
	b.checkUnaffected()
}
