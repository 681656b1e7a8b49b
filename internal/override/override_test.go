package override

import (
	"errors"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var host = breaker.Name{Scope: breaker.Host}

func TestDecisionsAreRecordedAndCarriedOut(t *testing.T) {
	t.Parallel()
	rdb, l := redistest.New(t), ledgertest.New(t)
	ofTenant := breaker.Name{Tenant: "clinic-a", Scope: "GetPatient"}
	apply := func(n breaker.Name, v Verb, d time.Duration) breaker.State {
		t.Helper()
		s, err := Apply(t.Context(), l, rdb, Decision{Breaker: n, Verb: v, By: "ann", Reason: "vendor is  down", For: d})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := apply(ofTenant, Open, Default)
	if s.Condition != breaker.Open || s.Forced == nil || !s.Forced.Open || s.Forced.By != "ann" || s.Forced.Why != "vendor-is-down" ||
		time.Until(s.Forced.Until) > Default || time.Until(s.Forced.Until) < Default-time.Minute {
		t.Errorf("opened: %+v, %+v", s, s.Forced)
	}
	if s = apply(ofTenant, Close, Default); s.Condition != breaker.Closed || s.Forced == nil || s.Forced.Open {
		t.Errorf("closed: %+v", s)
	}
	if s = apply(ofTenant, Release, 0); s.Condition != breaker.Closed || s.Forced != nil {
		t.Errorf("released: %+v", s)
	}
	if s, err := inspect(t.Context(), rdb, host); err != nil || s.Condition != breaker.Closed {
		t.Errorf("another breaker: %+v, %v", s, err)
	}
	recorded, err := l.Actions(t.Context(), "clinic-a", "GetPatient", 10)
	if err != nil || len(recorded) != 3 {
		t.Fatalf("%+v, %v", recorded, err)
	}
	if a := recorded[2]; a.Action != "breaker.open" || a.Operator != "ann" || a.Reason != "vendor-is-down" || a.Until.Sub(a.At) != Default {
		t.Errorf("%+v", a)
	}
	if a := recorded[0]; a.Action != "breaker.release" || !a.Until.IsZero() {
		t.Errorf("%+v", a)
	}
}

// What is refused, or cannot be recorded, changes nothing.
func TestRefusedDecisionsChangeNothing(t *testing.T) {
	t.Parallel()
	rdb, l := redistest.New(t), ledgertest.New(t)
	good := Decision{Breaker: host, Verb: Open, By: "ann", Reason: "ops-1", For: Default}
	for name, c := range map[string]struct {
		spoil func(*Decision)
		want  error
	}{
		"no author":  {func(d *Decision) { d.By = "" }, ErrInvalid},
		"no reason":  {func(d *Decision) { d.Reason = "" }, ErrInvalid},
		"no verb":    {func(d *Decision) { d.Verb = "" }, ErrInvalid},
		"short":      {func(d *Decision) { d.For = Shortest - 1 }, ErrInvalid},
		"long":       {func(d *Decision) { d.For = Longest + 1 }, ErrInvalid},
		"no release": {func(d *Decision) { d.Verb = Release }, ErrNone},
	} {
		d := good
		c.spoil(&d)
		if _, err := Apply(t.Context(), l, rdb, d); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if recorded, err := l.Actions(t.Context(), "", breaker.Host, 10); err != nil || len(recorded) != 0 {
		t.Errorf("%+v, %v", recorded, err)
	}
	_ = l.Close()
	if _, err := Apply(t.Context(), l, rdb, good); err == nil {
		t.Error("a decision was carried out without a record")
	}
	if s, err := inspect(t.Context(), rdb, host); err != nil || s.Condition != breaker.Closed || s.Forced != nil {
		t.Errorf("%+v, %v", s, err)
	}
}
