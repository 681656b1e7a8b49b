package events

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

var tenants atomic.Int64

// testLog writes a tenant's log as the cache's script does. Every test has its own tenant, because
// notifications reach all databases.
type testLog struct {
	t    testing.TB
	rdb  *redis.Client
	id   tenant.ID
	last uint64
}

func newLog(t testing.TB, open func(testing.TB) *redis.Client) *testLog {
	t.Helper()
	return &testLog{t: t, rdb: open(t), id: tenant.ID(fmt.Sprintf("clinic-%d", tenants.Add(1)))}
}

func onBoth(t *testing.T, test func(t *testing.T, l *testLog)) {
	t.Helper()
	for name, open := range map[string]func(testing.TB) *redis.Client{"redis": redistest.New, "mini": redistest.Mini} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newLog(t, open))
		})
	}
}

// began sets the start of the epoch where the cache keeps it.
func (l *testLog) began(clock uint64) {
	l.t.Helper()
	if err := l.rdb.HSet(l.t.Context(), metaKey(l.id), "f", clock).Err(); err != nil {
		l.t.Fatalf("begin epoch: %v", err)
	}
}

func (l *testLog) write(clock uint64) {
	l.t.Helper()
	l.writeRaw(clock, entry(clock, l.last))
}

func (l *testLog) writeRaw(clock uint64, values map[string]any) {
	l.t.Helper()
	a := &redis.XAddArgs{Stream: Key(l.id), ID: strconv.FormatUint(clock, 10) + "-0", Values: values}
	if err := l.rdb.XAdd(l.t.Context(), a).Err(); err != nil {
		l.t.Fatalf("write event: %v", err)
	}
	l.last = clock
}

func (l *testLog) notify() {
	l.t.Helper()
	if err := l.rdb.Publish(l.t.Context(), Channel(l.id), strconv.FormatUint(l.last, 10)).Err(); err != nil {
		l.t.Fatalf("notify: %v", err)
	}
}

func (l *testLog) trim(before uint64) {
	l.t.Helper()
	if err := l.rdb.XTrimMinID(l.t.Context(), Key(l.id), strconv.FormatUint(before, 10)).Err(); err != nil {
		l.t.Fatalf("trim: %v", err)
	}
}

func entry(clock, prev uint64) map[string]any {
	return map[string]any{
		"p": strconv.FormatUint(prev, 10), "e": "epoch--1", "n": strconv.FormatUint(clock, 10),
		"i": fmt.Sprintf("id-%d", clock), "t": "tag----1tag----2", "b": `{"kind":"patient.changed","refs":["` + string(ref(1)) + `"]}`,
	}
}

func ref(n byte) phi.Ref {
	return phi.Ref(strings.Repeat("a", 24) + string([]byte{'b' + n%24, 'a'}))
}

// read returns the first page of events after the cursor.
func (l *testLog) read(ctx context.Context, after uint64) ([]Event, error) {
	evs, _, err := readPage(ctx, l.rdb, l.id, after)
	return evs, err
}
