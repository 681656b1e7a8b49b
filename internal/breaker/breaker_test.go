package breaker

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// onBothServers runs a test on redis-server and on the embedded one, because the scripts must do
// the same on both.
func onBothServers(t *testing.T, test func(t *testing.T, rdb *redis.Client)) {
	t.Helper()
	t.Run("redis", func(t *testing.T) { t.Parallel(); test(t, redistest.New(t)) })
	t.Run("miniredis", func(t *testing.T) { t.Parallel(); test(t, redistest.Mini(t)) })
}

var (
	host    = Name{Scope: Host}
	patient = Name{Tenant: "clinic-a", Scope: "GetPatient"}
	login   = Name{Tenant: "clinic-a", Scope: Credential}
	minutes = Opening{First: time.Minute, Longest: 5 * time.Minute, Forget: time.Hour, Reason: "timeout", Evidence: "two calls"}
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// inspect returns the state of one breaker.
func inspect(t *testing.T, rdb redis.UniversalClient, n Name) State {
	t.Helper()
	return must[[]State](t)(Inspect(t.Context(), rdb, time.Second, n))[0]
}

// Evidence from an earlier generation changes nothing: it is about an older outage.
func TestLateEvidenceChangesNothing(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		ctx, shared := t.Context(), must[Shared](t)
		key := host.keys()[0]
		fields := func() map[string]string { return rdb.HGetAll(ctx, key).Val() }
		shared(host.Open(ctx, rdb, 0, minutes))
		open := fields()
		for gen := range int64(3) {
			shared(host.Open(ctx, rdb, gen, minutes)) // the same outage, seen by another process
		}
		shared(host.Close(ctx, rdb, 0, ""))
		if diff := cmp.Diff(open, fields()); diff != "" {
			t.Errorf("late evidence changed an open breaker:\n%s", diff)
		}
		if token, wait, err := host.Probe(ctx, rdb, 1, "", time.Minute); err != nil || wait < time.Second || token != "" {
			t.Errorf("a probe before its time: wait %v, token %q, %v", wait, token, err)
		}
		rdb.HSet(ctx, key, "until", 1) // the open period has ended
		shared(host.Open(ctx, rdb, 0, minutes))
		token, wait, err := host.Probe(ctx, rdb, 1, "", time.Minute)
		if err != nil || wait != 0 || token == "" {
			t.Fatalf("no probe when due: wait %v, %v", wait, err)
		}
		if second, wait, err := host.Probe(ctx, rdb, 1, "", time.Minute); err != nil || wait <= 0 || second != "" {
			t.Errorf("a second probe: wait %v, %v", wait, err)
		}
		if err := host.Return(ctx, rdb, "another's"); err != nil {
			t.Error(err)
		}
		if second, _, _ := host.Probe(ctx, rdb, 1, "", time.Minute); second != "" {
			t.Error("another's token returned the permission")
		}
		shared(host.Close(ctx, rdb, 1, ""))
		closed := fields()
		shared(host.Close(ctx, rdb, 2, ""))
		shared(host.Close(ctx, rdb, 1, ""))
		shared(host.Open(ctx, rdb, 1, minutes))
		if diff := cmp.Diff(closed, fields()); diff != "" || closed["gen"] != "2" || closed["until"] != "0" {
			t.Errorf("late evidence changed a closed breaker:\n%s%v", diff, closed)
		}
		if rdb.Exists(ctx, host.keys()[1]).Val() != 0 {
			t.Error("the permission to probe outlives the closing")
		}
		if token, wait, err := host.Probe(ctx, rdb, 1, "", time.Minute); token != "" || wait != 0 || err != nil {
			t.Errorf("a probe of an earlier generation: %q, %v, %v", token, wait, err)
		}
	})
}

// The period doubles with each opening in a row, up to the longest, a fifth more or less.
func TestOpensLonger(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		ctx, shared := t.Context(), must[Shared](t)
		for i, minutesLong := range []int{1, 2, 4, 5, 5} {
			want := time.Duration(minutesLong) * time.Minute
			rdb.HSet(ctx, host.keys()[0], "until", 1)
			v := shared(host.Open(ctx, rdb, int64(i), minutes))
			if d := time.Until(v.Until); d < want*8/10-time.Second || d > want*12/10 || v.Opens != int64(i+1) {
				t.Errorf("opening %d lasts %v, the %dth in a row", i+1, d, v.Opens)
			}
			if v.Since.Before(time.Now().Add(-10 * time.Second)) {
				t.Errorf("since %v", v.Since)
			}
		}
		later := minutes
		later.Later, later.Login = true, "old"
		for range 5 {
			rdb.Del(ctx, login.keys()...)
			if d := time.Until(shared(login.Open(ctx, rdb, 0, later)).Until); d < time.Minute-time.Second || d > 72*time.Second {
				t.Errorf("a login rests for %v", d)
			}
		}
		shared(host.Close(ctx, rdb, 5, ""))
		rdb.HIncrBy(ctx, host.keys()[0], "closed", -(2 * time.Hour).Microseconds())
		if v := shared(host.Open(ctx, rdb, 6, minutes)); v.Opens != 1 {
			t.Errorf("an opening after two hours is the %dth in a row", v.Opens)
		}
	})
}

// A breaker is open for the login that was refused, and another one is tried at once.
func TestLoginsHaveTheirOwnState(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		ctx, shared := t.Context(), must[Shared](t)
		v := shared(login.Close(ctx, rdb, 0, "first"))
		if v.Proven != "first" || v.Gen != 0 || !v.Until.IsZero() {
			t.Fatalf("a login that works: %+v", v)
		}
		o := minutes
		o.Login = "first"
		v = shared(login.Open(ctx, rdb, 0, o))
		if !v.IsOpen("first") || v.IsOpen("second") || !v.IsOpen("") {
			t.Errorf("%+v", v)
		}
		if token, wait, err := login.Probe(ctx, rdb, v.Gen, "first", time.Minute); token != "" || wait < time.Second || err != nil {
			t.Errorf("a refused login: %q, %v, %v", token, wait, err)
		}
		if token, _, err := login.Probe(ctx, rdb, v.Gen, "second", time.Minute); token == "" || err != nil {
			t.Errorf("a new login may not be tried: %v", err)
		}
		o.Login = "second"
		v = shared(login.Open(ctx, rdb, v.Gen, o))
		if v.IsOpen("first") || !v.IsOpen("second") || v.Opens != 1 {
			t.Errorf("after the second refusal: %+v", v)
		}
		v = shared(login.Close(ctx, rdb, v.Gen, "third"))
		if v.Proven != "third" || !v.Until.IsZero() {
			t.Errorf("after the third worked: %+v", v)
		}
	})
}

// An operator's decision outlasts evidence and probes, and ends by itself or when it is released.
func TestForce(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		ctx, shared := t.Context(), must[Shared](t)
		decision := Forced{Open: true, Until: time.Now().Add(time.Minute), By: "ada", Why: "the vendor asked for it"}
		v := shared(patient.Force(ctx, rdb, decision))
		if d := time.Until(v.Until); d < 50*time.Second || d > time.Minute {
			t.Fatalf("forced open for %v", d)
		}
		v = shared(patient.Close(ctx, rdb, v.Gen, ""))
		if token, wait, _ := patient.Probe(ctx, rdb, v.Gen, "", time.Second); v.Until.IsZero() || token != "" || wait < 50*time.Second {
			t.Errorf("probed while it is forced open: %q, %v", token, wait)
		}
		s := inspect(t, rdb, patient)
		if s.Condition != Open || s.Reason != "operator" || s.Forced == nil || !s.Forced.Open || s.Forced.By != "ada" || s.Forced.Why != decision.Why ||
			time.Since(s.Forced.At) > 10*time.Second || s.Forced.Until.Sub(decision.Until).Abs() > 10*time.Second {
			t.Errorf("%+v %+v", s, s.Forced)
		}
		decision.Open = false
		v = shared(patient.Force(ctx, rdb, decision))
		if v = shared(patient.Open(ctx, rdb, v.Gen, minutes)); !v.Until.IsZero() {
			t.Errorf("evidence opens it while it is forced closed: %+v", v)
		}
		if s := inspect(t, rdb, patient); s.Condition != Ramp || s.Forced == nil || s.Forced.Open {
			t.Errorf("%+v", s)
		}
		v = shared(patient.Release(ctx, rdb))
		if v = shared(patient.Open(ctx, rdb, v.Gen, minutes)); v.Until.IsZero() {
			t.Error("evidence does not open it after the release")
		}
		if s := inspect(t, rdb, patient); s.Forced != nil || s.Evidence != "two calls" || s.Reason != "timeout" {
			t.Errorf("%+v", s)
		}
		decision.Open = true
		shared(patient.Force(ctx, rdb, decision))
		v = shared(patient.Release(ctx, rdb))
		if token, _, err := patient.Probe(ctx, rdb, v.Gen, "", time.Second); token == "" || err != nil {
			t.Errorf("no probe is due after the release: %v", err)
		}
		shared(host.Release(ctx, rdb)) // changes nothing
	})
	for name, f := range map[string]Forced{
		"no time":     {By: "ada", Why: "because"},
		"too long":    {By: "ada", Why: "because", Until: time.Now().Add(25 * time.Hour)},
		"no author":   {Why: "because", Until: time.Now().Add(time.Minute)},
		"no reason":   {By: "ada", Until: time.Now().Add(time.Minute)},
		"long reason": {By: "ada", Why: strings.Repeat("x", MaxWhy+1), Until: time.Now().Add(time.Minute)},
		"no text":     {By: "ada", Why: "\xff", Until: time.Now().Add(time.Minute)},
	} {
		if _, err := host.Force(t.Context(), redistest.New(t), f); !errors.Is(err, ErrForced) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// model is what a breaker does, without time: an open period ends with the action "due".
type model struct {
	open, due      bool
	gen, opens     int64
	forcedOpen     bool
	forcedClosed   bool
	closedByAProbe bool
}

// The scripts follow the model for any order of what processes and operators do.
func TestScriptsFollowTheirModel(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		ctx := t.Context()
		rapid.Check(t, func(t *rapid.T) {
			if err := rdb.FlushDB(ctx).Err(); err != nil {
				t.Fatal(err)
			}
			var m model
			for range rapid.IntRange(1, 25).Draw(t, "steps") {
				gen := m.gen - rapid.Int64Range(0, min(1, m.gen)).Draw(t, "lateness")
				late := gen != m.gen
				var err error
				switch what := rapid.SampledFrom([]string{"open", "close", "due", "force open", "force closed", "release"}).Draw(t, "what"); what {
				case "open":
					_, err = patient.Open(ctx, rdb, gen, minutes)
					if !late && !m.forcedOpen && !m.forcedClosed && (!m.open || m.due) {
						m.open, m.due, m.gen, m.opens, m.closedByAProbe = true, false, m.gen+1, m.opens+1, false
					}
				case "close":
					_, err = patient.Close(ctx, rdb, gen, "")
					if !late && m.open && !m.forcedOpen {
						m.open, m.due, m.gen, m.closedByAProbe = false, false, m.gen+1, true
					}
				case "due":
					if m.open && !m.forcedOpen {
						err = rdb.HSet(ctx, patient.keys()[0], "until", 1).Err()
						m.due = true
					}
				case "release":
					_, err = patient.Release(ctx, rdb)
					if m.forcedOpen || m.forcedClosed {
						m.gen++
						m.due = m.due || m.forcedOpen
					}
					m.forcedOpen, m.forcedClosed = false, false
				default:
					open := what == "force open"
					_, err = patient.Force(ctx, rdb, Forced{Open: open, Until: time.Now().Add(time.Minute), By: "ada", Why: "because"})
					m.gen++
					if open && !m.open {
						m.opens = 1
					}
					if m.open && !open {
						m.closedByAProbe = true
					}
					m.forcedOpen, m.forcedClosed, m.open, m.due = open, !open, open, false
					if open {
						m.closedByAProbe = false
					}
				}
				if err != nil {
					t.Fatal(err)
				}
				v, err := patient.Read(ctx, rdb)
				if err != nil {
					t.Fatal(err)
				}
				got := model{
					open: !v.Until.IsZero(), due: !v.Until.IsZero() && time.Until(v.Until) <= 0, gen: v.Gen, opens: v.Opens,
					forcedOpen: m.forcedOpen, forcedClosed: m.forcedClosed, closedByAProbe: !v.Closed.IsZero(),
				}
				if got != m {
					t.Fatalf("%+v, want %+v", got, m)
				}
			}
		})
	})
}

func TestNames(t *testing.T) {
	t.Parallel()
	if host.String() != "host" || patient.String() != "clinic-a GetPatient" {
		t.Errorf("%s, %s", host, patient)
	}
	for _, n := range []Name{host, patient, login} {
		if !n.Concerns("clinic-a", "GetPatient") {
			t.Errorf("%s does not concern a call", n)
		}
		if n != host && (n.Concerns("clinic-b", "GetPatient") || n != login && n.Concerns("clinic-a", "GetProviders")) {
			t.Errorf("%s concerns a call of another tenant or operation", n)
		}
	}
}
