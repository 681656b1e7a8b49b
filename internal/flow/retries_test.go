package flow

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

var getPatientState = budget.State{Tenant: clinic, Operation: "GetPatient"}

// usage reads the usage of GetPatient.
func usage(t *testing.T, f *Flow) Usage {
	t.Helper()
	all, err := f.Usages(t.Context(), getPatientState)
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	return all[0]
}

// retryBucket is the model of the script, while no time passes.
type retryBucket struct{ tokens float64 }

func (b *retryBucket) sent(o tebra.Outcome) {
	if !mayBeRepeated[o.Code] {
		b.tokens = min(retryBurst, b.tokens+retryShare)
	}
}

func (b *retryBucket) ask(reserve bool) time.Duration {
	wait := time.Duration((1 - b.tokens) * float64(retryPeriod))
	if b.tokens >= 1 {
		wait = 0
	}
	if wait == 0 || reserve && wait < retryWait {
		b.tokens--
	}
	return min(wait, retryWait)
}

// TestRetryBudgetModel compares the script with a model. Its clock stands still: the time of the
// last change is in the future.
func TestRetryBudgetModel(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	op := budget.Operation{Tenant: clinic, Name: "GetPatient"}
	codes := []tebra.Code{"", tebra.NotFound, tebra.Timeout, tebra.Unavailable, tebra.Throttled}
	rapid.Check(t, func(rt *rapid.T) {
		rdb.FlushDB(t.Context())
		model := retryBucket{tokens: retryBurst}
		for range rapid.IntRange(1, 120).Draw(rt, "steps") {
			var got, want time.Duration
			var err error
			switch step := rapid.SampledFrom([]string{"sent", "take", "reserve", "reserve"}).Draw(rt, "step"); step {
			case "sent":
				o := tebra.Outcome{Code: rapid.SampledFrom(codes).Draw(rt, "code")}
				f.sent(t.Context(), op, o)
				model.sent(o)
			default:
				got, err = f.retries(t.Context(), clinic, op.Name, step, 0, 0)
				want = model.ask(step == "reserve")
			}
			if err != nil || (got-want).Abs() > 10*time.Millisecond {
				rt.Fatalf("wait %v (%v), want %v", got, err, want)
			}
			rdb.HSet(t.Context(), retriesKey(clinic, op.Name), "at", time.Now().Add(time.Hour).UnixMicro())
		}
		if u := usage(t, f); math.Abs(u.Retries-model.tokens) > 1e-3 || u.Retries < -retryWait.Seconds()/retryPeriod.Seconds() {
			rt.Fatalf("%f retries left, want %f", u.Retries, model.tokens)
		}
	})
}

func TestRetryBudgetRefillsWithTime(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := newFlow(t, rdb)
		ask := func() time.Duration {
			wait := f.Retry(t.Context(), clinic, "GetPatient")
			rdb.HSet(t.Context(), retriesKey(clinic, "GetPatient"), "at", time.Now().Add(time.Hour).UnixMicro()) // no time passes
			return wait
		}
		for range retryBurst {
			if wait := ask(); wait != 0 {
				t.Fatalf("a saved retry waits %v", wait)
			}
		}
		first, second := ask(), ask()
		if first < retryPeriod/2 || first > retryPeriod || second-first < retryPeriod/2 || second > 2*retryPeriod {
			t.Errorf("the next retries wait %v and %v", first, second)
		}
		if wait := f.Retry(t.Context(), "clinic-b", "GetPatient"); wait != 0 {
			t.Errorf("another tenant's retry waits %v", wait)
		}
		if u := usage(t, f); u.Delayed <= 0 || u.Retries > -1.5 {
			t.Errorf("%+v", u)
		}
		rdb.HSet(t.Context(), retriesKey(clinic, "GetPatient"), "at", time.Now().Add(-time.Hour).UnixMicro())
		if wait := f.Retry(t.Context(), clinic, "GetPatient"); wait != 0 {
			t.Errorf("an hour later a retry waits %v", wait)
		}
		for range 200 {
			if wait := f.Retry(t.Context(), clinic, "GetPatient"); wait > retryWait {
				t.Fatalf("a retry waits %v", wait)
			}
		}
	})
}

func TestAttemptThatRepeatsAnotherNeedsARetry(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	again := getPatient()
	again.Retry = true
	for range retryBurst {
		call(t, f, again, tebra.Outcome{NotSent: true, Code: tebra.Invalid})
	}
	r := refused(t, f, again, codes.RetryBudget)
	if at, _ := r.NotBefore(); time.Until(at) > retryPeriod {
		t.Errorf("it may try again in %v", time.Until(at))
	}
	call(t, f, getPatient(), tebra.Outcome{}) // the first attempt of a call needs none
	if u := usage(t, f); u.Minute < .9 || u.Hour < .9 || u.Minute > 1.1 {
		t.Errorf("one call was sent: %+v", u)
	}
	for range 5 {
		call(t, f, getPatient(), tebra.Outcome{Latency: time.Millisecond})
	}
	call(t, f, again, tebra.Outcome{})
	if minute, hour := usage(t, f).Shares(6 * time.Second); minute < .6 || minute > .71 || hour < minute/61 || hour > minute/59 {
		t.Errorf("seven calls in %v use %f and %f", 6*time.Second, minute, hour)
	}
}

func TestRetryBudgetWithoutRedis(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	f := newFlow(t, rdb)
	if err := rdb.Close(); err != nil {
		t.Fatal(err)
	}
	if wait := f.Retry(t.Context(), clinic, "GetPatient"); wait != 0 {
		t.Errorf("a retry waits %v", wait)
	}
	if _, err := f.Usages(t.Context(), getPatientState); err == nil {
		t.Error("read without Redis")
	}
	again := getPatient()
	again.Retry = true
	var r *Refused
	if _, err := f.Enter(t.Context(), again); !errors.As(err, &r) || r.Reason != codes.Redis {
		t.Errorf("%v", err)
	}
}
