package queue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// TestGenerationsLoseNoDemand checks every order of events on one digest: at most one task runs,
// each demand is followed by the start of a run that is not too early, or by the death of the task
// that carried it, and a run that was cut off is repeated.
func TestGenerationsLoseNoDemand(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		rdb.FlushDB(t.Context())
		m := &model{
			t: t, rdb: rdb, p: NewProducer(rdb), runs: NewRuns(rdb), clock: time.Now().Truncate(time.Second),
			due: map[ID]time.Time{}, carried: map[ID]int{}, latest: map[ID]span{},
		}
		rt.Repeat(map[string]func(*rapid.T){
			"step": m.take,
			"": func(rt *rapid.T) {
				if n := len(m.popped) + len(m.started); n > 1 {
					rt.Fatalf("%d tasks run at once", n)
				}
			},
		})
		m.quiesce(rt)
		for id, n := range m.carried {
			if n > 0 {
				rt.Fatalf("no run of %s followed %d of its demands", id, n)
			}
		}
	})
}

type model struct {
	t                     *testing.T
	rdb                   *redis.Client
	p                     *Producer
	runs                  *Runs
	clock                 time.Time
	due                   map[ID]time.Time // when a task may run at the earliest
	carried               map[ID]int       // demands that no run has followed yet
	latest                map[ID]span      // for when a task was demanded last
	popped, started, dead []ID
	booked                bool          // the next demand has a place
	wait                  time.Duration // until it
}

// span is a time that a clock has shown between two others.
type span struct{ from, to time.Time }

// remember records a demand of a task for a time, or for one that Redis' clock has shown.
func (m *model) remember(id ID, at span) {
	was := m.latest[id]
	if at.from.After(was.from) {
		was.from = at.from
	}
	if at.to.After(was.to) {
		was.to = at.to
	}
	m.latest[id] = was
}

// take takes one of the steps that are possible now.
func (m *model) take(rt *rapid.T) {
	possible := []string{"demand", "schedule", "book", "wait", "pop"}
	if len(m.popped) > 0 {
		possible = append(possible, "start", "die early", "crash early")
	}
	if len(m.started) > 0 {
		possible = append(possible, "done", "retry", "archived", "crash")
	}
	if len(m.dead) > 0 {
		possible = append(possible, "replay")
	}
	pick := func(from []ID) ID { return rapid.SampledFrom(from).Draw(rt, "id") }
	switch step := rapid.SampledFrom(possible).Draw(rt, "step"); step {
	case "demand":
		m.demand(rt, 0)
	case "book":
		m.booked, m.wait = true, time.Duration(rapid.IntRange(0, 100).Draw(rt, "place"))*time.Minute+time.Until(m.clock)
		m.demand(rt, time.Duration(rapid.IntRange(0, 20).Draw(rt, "minutes"))*time.Minute)
		m.booked = false
	case "schedule":
		m.demand(rt, time.Duration(rapid.IntRange(1, 100).Draw(rt, "minutes"))*time.Minute)
	case "wait":
		m.clock = m.clock.Add(time.Duration(rapid.IntRange(1, 60).Draw(rt, "minutes")) * time.Minute)
		m.forward()
	case "pop":
		m.pop()
	case "start":
		m.start(rt, pick(m.popped))
	case "die early":
		m.dieEarly(pick(m.popped))
	case "crash early":
		m.crash(pick(m.popped))
	case "crash":
		m.crash(pick(m.started))
	case "replay":
		m.replay(pick(m.dead))
	default: // the state that a run ends with
		m.end(pick(m.started), step)
	}
}

func (m *model) demand(rt *rapid.T, in time.Duration) {
	d, at := demand(Sync, "a"), m.clock
	if in > 0 {
		at = m.clock.Add(in)
		d.At = at
	}
	d.Booked, d.Wait = m.booked, m.wait
	before := time.Now().Add(-time.Millisecond)
	r := enqueue(m.t, m.p, d)
	id := parse(m.t, r.ID)
	if in > 0 {
		m.remember(id, span{at, at})
	} else {
		m.remember(id, span{before, time.Now()})
	}
	due, waits := m.due[id]
	switch {
	case r.Joined != waits:
		rt.Fatalf("a demand was joined to a task that does not wait, or the reverse: %+v", r)
	case r.Joined && due.Before(at) && len(m.due) >= maxWaiting:
		m.due[id] = at // too many wait
	case r.Joined && in > 0 && due.Before(at):
		rt.Fatalf("a demand for %v joined a task for %v", at, due)
	case !r.Joined && m.joinable(at, in):
		rt.Fatalf("a demand for %v is a task of its own beside %v", at, m.due)
	case !r.Joined || at.Before(due) && !m.retries(id):
		m.due[id] = at
	}
	m.carried[id]++
}

// joinable reports whether a task waits that a demand must join.
func (m *model) joinable(at time.Time, in time.Duration) bool {
	for _, due := range m.due {
		if in == 0 || !due.Before(at) {
			return true
		}
	}
	return false
}

// retries reports whether a task waits after a failure: only urgent demands shorten that.
func (m *model) retries(id ID) bool {
	return m.rdb.ZScore(m.t.Context(), asynqKey(Sync, suffixRetry), id.String()).Err() == nil
}

func (m *model) pop() {
	if id, ok := pop(m.t, m.rdb, Sync); ok {
		m.popped = append(m.popped, id)
	}
}

func (m *model) start(rt *rapid.T, id ID) {
	must(m.t, m.runs.Start(m.t.Context(), id))
	micros, err := m.rdb.HGet(m.t.Context(), asynqTaskPrefix(Sync)+id.String(), "demanded").Int64()
	must(m.t, err)
	if at, want := time.UnixMicro(micros), m.latest[id]; at.Before(want.from) || at.After(want.to) {
		rt.Fatalf("%s was demanded last at %v, and is stated as %v", id, want, at)
	}
	if due := m.due[id]; due.After(m.clock) {
		rt.Fatalf("%s runs at %v and was demanded for %v", id, m.clock, due)
	}
	m.popped = without(m.popped, id)
	m.started = append(m.started, id)
	m.carried[id] = 0
	delete(m.due, id)
}

// end acts like the router: it requeues before a retry and drops a superseded task.
func (m *model) end(id ID, state string) {
	m.started = without(m.started, id)
	again := m.clock.Add(5 * time.Minute)
	if state == StateRetry {
		superseded, err := m.runs.Requeue(m.t.Context(), id, Again{At: again})
		must(m.t, err)
		if superseded {
			state = "done"
			m.inherit(again, m.latest[id])
		} else {
			m.due[id] = again
			m.carried[id]++ // the retry must follow
		}
	}
	finishAt(m.t, m.rdb, id, state, again)
	if state == StateArchived {
		m.dead = append(m.dead, id)
	}
}

// inherit finds the task that took over from one that was superseded.
func (m *model) inherit(again time.Time, latest span) {
	for id, due := range m.due {
		if due.Before(again) && m.retries(id) {
			m.due[id] = again
			m.remember(id, latest)
		}
	}
}

func (m *model) dieEarly(id ID) {
	m.popped = without(m.popped, id)
	finish(m.t, m.rdb, id, StateArchived)
	m.dead = append(m.dead, id)
	m.carried[id] = 0 // the dead letter records them
	delete(m.due, id)
}

// crash ends a worker: the lease of its task ends, and the reaper returns the task.
func (m *model) crash(id ID) {
	m.popped, m.started = without(m.popped, id), without(m.started, id)
	must(m.t, m.rdb.ZAdd(m.t.Context(), asynqKey(Sync, suffixLease), redis.Z{Score: 1, Member: id.String()}).Err())
	reaped(m.t, m.rdb, Sync)
	must(m.t, reapScript.on(m.t.Context(), m.rdb, Sync, []string{reapKey(Sync)}, 100, 12, crashLimit, 30, 3600, 4, 86400).Err())
	m.carried[id]++
	m.due[id] = m.clock
}

// replay replays a dead task, which counts as a demand.
func (m *model) replay(id ID) {
	m.dead = without(m.dead, id)
	before := time.Now().Add(-time.Millisecond)
	for other := range m.due {
		must(m.t, m.rdb.HDel(m.t.Context(), asynqTaskPrefix(Sync)+other.String(), "replayed").Err())
	}
	d := Dead{ID: id.String(), Kind: "test.run", Payload: []byte("sealed")}
	if replay(m.t, m.rdb, d) == ReplayQueued {
		m.latest[id] = span{before, time.Now()}
		m.carried[id]++
		m.due[id] = m.clock
		return
	}
	for other := range m.due { // one of these may do the work
		if m.rdb.HExists(m.t.Context(), asynqTaskPrefix(Sync)+other.String(), "replayed").Val() {
			m.remember(other, span{before, time.Now()})
		}
	}
}

// forward makes the tasks pending that are due.
func (m *model) forward() {
	for _, set := range []string{suffixSchedule, suffixRetry} {
		forwardUntil(m.t, m.rdb, Sync, set, m.clock)
	}
}

func (m *model) waiting() int {
	pipe := m.rdb.Pipeline()
	counts := []*redis.IntCmd{
		pipe.LLen(m.t.Context(), asynqKey(Sync, suffixPending)),
		pipe.ZCard(m.t.Context(), asynqKey(Sync, suffixSchedule)),
		pipe.ZCard(m.t.Context(), asynqKey(Sync, suffixRetry)),
	}
	_, err := pipe.Exec(m.t.Context())
	must(m.t, err)
	n := len(m.popped)
	for _, c := range counts {
		n += int(c.Val())
	}
	return n
}

func (m *model) quiesce(rt *rapid.T) {
	for m.waiting()+len(m.started) > 0 {
		for _, id := range m.started {
			m.end(id, "done")
		}
		for _, id := range m.popped {
			m.start(rt, id)
			m.end(id, "done")
		}
		m.clock = m.clock.Add(time.Hour)
		m.forward()
		m.pop()
	}
}

func without(ids []ID, id ID) []ID {
	var out []ID
	for _, x := range ids {
		if x != id {
			out = append(out, x)
		}
	}
	return out
}
