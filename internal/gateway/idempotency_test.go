package gateway

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Requests that repeat an idempotency key, even concurrently, create one task.
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
	if n, err := b.depth(); len(ids) != 1 || n != 1 || err != nil {
		t.Errorf("%d tasks for a thousand requests: %v (%v)", n, ids, err)
	}
	other := b.post("/v1/tasks", args("directory.sync", `{"practice":"7"}`), "Idempotency-Key", "order 1")
	if other.code(t) != codes.IdempotencyKeyReused {
		t.Errorf("a different demand with the same key: %s", other.body)
	}
	if r := b.do(b.request(http.MethodPost, "/v1/tasks", keyB, args("directory.sync", `{"practice":"9"}`), "Idempotency-Key", "order 1")); r.StatusCode != http.StatusAccepted {
		t.Errorf("another tenant with the same key: %d %s", r.StatusCode, r.body)
	}
}

// A client that disconnects before the response can repeat its request and gets the same task.
func TestDisconnectedClientCanRepeatItsDemand(t *testing.T) {
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
	if n, err := b.depth(); err != nil || n != 1 {
		t.Errorf("%d tasks (%v)", n, err)
	}
}
