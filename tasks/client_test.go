package tasks

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

type (
	badKind     struct{}
	badLane     struct{}
	badTimeout  struct{}
	badAttempts struct{}
	badJSON     struct{ F float64 }
	huge        struct{ Text string }
	quarantined struct{}
)

func (badKind) Kind() string         { return "Bad Kind" }
func (badLane) Kind() string         { return "bad.lane" }
func (badLane) Options() Options     { return Options{Lane: "fast"} }
func (quarantined) Kind() string     { return "bad.lane" }
func (quarantined) Options() Options { return Options{Lane: queue.Quarantine} }
func (badTimeout) Kind() string      { return "bad.timeout" }
func (badTimeout) Options() Options  { return Options{Timeout: 500 * time.Millisecond} }
func (badAttempts) Kind() string     { return "bad.attempts" }
func (badAttempts) Options() Options { return Options{MaxAttempts: -1} }
func (badJSON) Kind() string         { return "bad.json" }
func (huge) Kind() string            { return "huge.write" }

func TestEnqueueRejectsInvalidTasksBeforeSending(t *testing.T) {
	t.Parallel()
	b := setup(t)
	good := note{Text: "x"}
	for name, call := range map[string]func() error{
		"no tenant":        func() error { _, err := b.client.Enqueue(t.Context(), "", good); return err },
		"malformed tenant": func() error { _, err := b.client.Enqueue(t.Context(), "A}:b", good); return err },
		"nil":              func() error { _, err := b.client.Enqueue(t.Context(), "a", nil); return err },
		"kind":             func() error { _, err := b.client.Enqueue(t.Context(), "a", badKind{}); return err },
		"lane":             func() error { _, err := b.client.Enqueue(t.Context(), "a", badLane{}); return err },
		"quarantine":       func() error { _, err := b.client.Enqueue(t.Context(), "a", quarantined{}); return err },
		"half a second":    func() error { _, err := b.client.Enqueue(t.Context(), "a", badTimeout{}); return err },
		"too long":         func() error { _, err := b.client.Enqueue(t.Context(), "a", note{timeout: time.Hour}); return err },
		"attempts":         func() error { _, err := b.client.Enqueue(t.Context(), "a", badAttempts{}); return err },
		"not JSON":         func() error { _, err := b.client.Enqueue(t.Context(), "a", badJSON{math.NaN()}); return err },
		"fails Validate":   func() error { _, err := b.client.Enqueue(t.Context(), "a", note{Text: "invalid"}); return err },
		"larger than 8 KiB": func() error {
			_, err := b.client.Enqueue(t.Context(), "a", huge{strings.Repeat("x", MaxPayload)})
			return err
		},
		"zero time": func() error { _, err := b.client.Enqueue(t.Context(), "a", good, At(time.Time{})); return err },
		"year 9999": func() error {
			_, err := b.client.Enqueue(t.Context(), "a", good, At(time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)))
			return err
		},
		"negative delay":     func() error { _, err := b.client.Enqueue(t.Context(), "a", good, In(-time.Second)); return err },
		"delay of centuries": func() error { _, err := b.client.Enqueue(t.Context(), "a", good, In(math.MaxInt64)); return err },
		"empty once":         func() error { _, err := b.client.Enqueue(t.Context(), "a", good, Once("")); return err },
		"10 kB once": func() error {
			_, err := b.client.Enqueue(t.Context(), "a", good, Once(strings.Repeat("x", 10_000)))
			return err
		},
		"one bad of many": func() error {
			_, err := b.client.EnqueueMany(t.Context(), "a", []Args{good, note{Text: "invalid"}, good})
			return err
		},
	} {
		if err := call(); !errors.Is(err, ErrInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if keys := b.rdb.Keys(t.Context(), "*").Val(); len(keys) != 0 {
		t.Errorf("Redis holds %v", keys)
	}
}

func TestEnqueueAppliesOptions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, row := range map[string]struct {
		args Args
		opts []Option
		lane string
		want State
	}{
		"defaults":    {note{Text: "a"}, nil, LaneSync, StateWaiting},
		"own lane":    {note{Text: "b", lane: LaneWarm}, nil, LaneWarm, StateWaiting},
		"interactive": {note{Text: "c"}, []Option{Interactive()}, LaneInteractive, StateWaiting},
		"at":          {note{Text: "d"}, []Option{At(time.Now().Add(time.Hour))}, LaneSync, StateScheduled},
		"in":          {note{Text: "e"}, []Option{In(time.Hour)}, LaneSync, StateScheduled},
		"in nothing":  {note{Text: "f"}, []Option{In(0)}, LaneSync, StateWaiting},
		"at past":     {note{Text: "g"}, []Option{At(time.Unix(0, 0))}, LaneSync, StateWaiting},
	} {
		r := b.enqueue(t, row.args, row.opts...)
		s := b.status(t, r.ID)
		if s.Lane != row.lane || s.State != row.want || s.Tenant != "clinic-a" || s.Kind != "note.write" || r.Joined || r.Repeated {
			t.Errorf("%s: %+v, receipt %+v", name, s, r)
		}
		if wait := time.Until(s.NextAt); row.want == StateScheduled && (wait < time.Hour-time.Second || wait > time.Hour+time.Second) {
			t.Errorf("%s: runs in %v", name, wait)
		}
	}
}

// Two tasks are equal when tenant, lane, kind and arguments are equal, to the last bit.
func TestEqualTasksJoin(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.enqueue(t, note{Text: "a", Number: 1 << 53})
	if r := b.enqueue(t, note{Text: "a", Number: 1 << 53}); r != (Receipt{ID: first.ID, Joined: true}) {
		t.Errorf("an equal task: %+v", r)
	}
	other, err := b.client.Enqueue(t.Context(), "clinic-b", note{Text: "a", Number: 1 << 53})
	must(t, err)
	for name, r := range map[string]Receipt{
		"tenant":             other,
		"lane":               b.enqueue(t, note{Text: "a", Number: 1 << 53}, Interactive()),
		"kind":               b.enqueue(t, memo{Text: "a", Number: 1 << 53}),
		"argument":           b.enqueue(t, note{Text: "b", Number: 1 << 53}),
		"last bit of number": b.enqueue(t, note{Text: "a", Number: 1<<53 + 1}),
	} {
		if r.Joined {
			t.Errorf("a task with another %s joined", name)
		}
	}
	if r := b.enqueue(t, keyed{Key: "k", Text: "a"}); r.Joined {
		t.Errorf("the first task with the key: %+v", r)
	}
	if r := b.enqueue(t, keyed{Key: "k", Text: "b"}); !r.Joined {
		t.Errorf("another task with the same key: %+v", r)
	}
}

// keyed defines its own unique key.
type keyed struct{ Key, Text string }

func (keyed) Kind() string        { return "keyed.write" }
func (k keyed) UniqueKey() string { return k.Key }

func TestOnceDeduplicatesRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.enqueue(t, note{Text: "a"}, Once("request 17"))
	if r := b.enqueue(t, note{Text: "a"}, Once("request 17")); r != (Receipt{ID: first.ID, Repeated: true}) {
		t.Errorf("the same request: %+v", r)
	}
	if _, err := b.client.Enqueue(t.Context(), "clinic-a", note{Text: "b"}, Once("request 17")); !errors.Is(err, ErrReused) {
		t.Errorf("the same key with another task: %v", err)
	}
	if _, err := b.client.Enqueue(t.Context(), "clinic-b", note{Text: "b"}, Once("request 17")); err != nil {
		t.Errorf("the same key in another tenant: %v", err)
	}
	batch := []Args{note{Text: "c"}, note{Text: "d"}}
	one, err := b.client.EnqueueMany(t.Context(), "clinic-a", batch, Once("batch"))
	must(t, err)
	two, err := b.client.EnqueueMany(t.Context(), "clinic-a", batch, Once("batch"))
	must(t, err)
	for i := range batch {
		if one[i].Repeated || !two[i].Repeated || one[i].ID != two[i].ID || one[0].ID == one[1].ID {
			t.Errorf("batch: %+v then %+v", one, two)
		}
	}
	if strings.Contains(everything(t, b.rdb), "request 17") {
		t.Error("Redis holds the idempotency key in plain text")
	}
}

// Redis holds no argument of a task and no idempotency key in plain text.
func TestRedisHoldsNoPlainText(t *testing.T) {
	t.Parallel()
	b := setup(t)
	receipts, err := b.client.EnqueueMany(t.Context(), "clinic-a", []Args{
		SyncPatient{Practice: "77012", Patient: "48151623"},
		InvalidateEntity{Practice: "77012", Noun: NounPatient, ID: "48151623"},
		note{Text: "marigold"},
	}, Once("48151623"))
	must(t, err)
	all := everything(t, b.rdb)
	for _, secret := range []string{"48151623", "77012", "marigold", "NDgxNTE2MjM"} {
		if strings.Contains(all, secret) {
			t.Errorf("Redis holds %q", secret)
		}
	}
	if !strings.Contains(all, receipts[0].ID) || !strings.Contains(all, "patient.sync") {
		t.Fatal("the search finds neither the task ID nor the kind")
	}
	must(t, b.rdb.Set(t.Context(), "planted", "48151623", 0).Err())
	if !strings.Contains(everything(t, b.rdb), "48151623") {
		t.Error("the search does not find the planted value")
	}
}

func TestClientWithoutRedis(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_ = b.rdb.Close()
	if _, err := b.client.Enqueue(t.Context(), "clinic-a", note{}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("enqueue: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := b.client.Enqueue(ctx, "clinic-a", note{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	id := b.seal(t, note{}).ID
	if _, err := b.client.Status(t.Context(), id); !errors.Is(err, ErrUnavailable) {
		t.Errorf("status: %v", err)
	}
	none, err := NewClient(ClientOptions{Keys: b.keys})
	must(t, err)
	if _, err := none.Enqueue(t.Context(), "clinic-a", note{}); err == nil {
		t.Error("a client without Redis enqueued a task")
	}
	if _, err := none.Status(t.Context(), id); err == nil {
		t.Error("a client without Redis returned a status")
	}
	if _, err := none.Seal(t.Context(), "clinic a", note{}); !errors.Is(err, tenant.ErrInvalid) {
		t.Errorf("seal: %v", err)
	}
}

func TestStatusRejectsMalformedIDs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, id := range []string{"", "x", "sync-*-1", "*.1.sync", "sync:{a}", strings.Repeat("x", 10_000)} {
		if _, err := b.client.Status(t.Context(), id); !errors.Is(err, ErrID) {
			t.Errorf("%.20q: %v", id, err)
		}
	}
	if s := b.status(t, b.seal(t, note{}).ID); s.State != StateUnknown || s.Tenant != "" {
		t.Errorf("never enqueued: %+v", s)
	}
}
