package queue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// TestGenerationsLoseNoDemand checks every order of events on one digest: each demand is followed
// by the start of a run, or by the death of a task that carried it, and without crashes at most one
// task waits.
func TestGenerationsLoseNoDemand(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	rapid.Check(t, func(rt *rapid.T) {
		rdb.FlushDB(t.Context())
		m := &model{t: t, rdb: rdb, p: NewProducer(rdb), runs: NewRuns(rdb)}
		rt.Repeat(map[string]func(*rapid.T){
			"step": m.take,
			"": func(rt *rapid.T) {
				if n := m.waiting(); n > 1 {
					rt.Fatalf("%d tasks wait", n)
				}
			},
		})
		m.quiesce()
		if m.lastDemand > m.lastCover {
			rt.Fatalf("no run followed the demand at step %d (last start or death at %d)", m.lastDemand, m.lastCover)
		}
	})
}

type model struct {
	t                     *testing.T
	rdb                   *redis.Client
	p                     *Producer
	runs                  *Runs
	step                  int
	lastDemand, lastCover int
	popped, started, dead []ID
}

// take takes one of the steps that are possible now.
func (m *model) take(rt *rapid.T) {
	possible := []string{"demand", "schedule", "pop", "forward"}
	if len(m.popped) > 0 {
		possible = append(possible, "start", "die early")
	}
	if len(m.started) > 0 {
		possible = append(possible, "done", "retry", "archived")
	}
	if len(m.dead) > 0 {
		possible = append(possible, "replay")
	}
	pick := func(from []ID) ID { return rapid.SampledFrom(from).Draw(rt, "id") }
	switch step := rapid.SampledFrom(possible).Draw(rt, "step"); step {
	case "demand":
		m.demand(0)
	case "schedule":
		m.demand(time.Hour)
	case "pop":
		m.pop()
	case "forward":
		forward(m.t, m.rdb, Sync)
	case "start":
		m.start(pick(m.popped))
	case "die early":
		m.dieEarly(pick(m.popped))
	case "replay":
		m.replay(pick(m.dead))
	default: // the state that a run ends with
		m.end(pick(m.started), step)
	}
}

func (m *model) demand(in time.Duration) {
	d := demand(Sync, "a")
	if in > 0 {
		d.At = time.Now().Add(in)
	}
	m.step++
	m.lastDemand = m.step
	enqueue(m.t, m.p, d)
}

func (m *model) pop() {
	if id, ok := pop(m.t, m.rdb, Sync); ok {
		m.popped = append(m.popped, id)
	}
}

func (m *model) start(id ID) {
	must(m.t, m.runs.Start(m.t.Context(), id))
	m.popped = without(m.popped, id)
	m.started = append(m.started, id)
	m.step++
	m.lastCover = m.step
}

// end acts like the router: it requeues before a retry and drops a superseded task.
func (m *model) end(id ID, state string) {
	m.started = without(m.started, id)
	if state == "retry" {
		superseded, err := m.runs.Requeue(m.t.Context(), id, time.Now())
		must(m.t, err)
		if superseded {
			state = "done"
		}
	}
	finish(m.t, m.rdb, id, state)
	if state == "archived" {
		m.dead = append(m.dead, id)
	}
}

func (m *model) dieEarly(id ID) {
	m.popped = without(m.popped, id)
	finish(m.t, m.rdb, id, "archived")
	m.dead = append(m.dead, id)
	m.step++
	m.lastCover = m.step // the dead letter records it
}

// replay replays a dead task, which counts as a demand: a run must follow unless a newer one has
// started since.
func (m *model) replay(id ID) {
	m.dead = without(m.dead, id)
	d := Dead{ID: id.String(), Kind: "test.run", Payload: []byte("sealed")}
	if replay(m.t, m.rdb, d) == ReplayQueued {
		m.step++
		m.lastDemand = m.step
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

func (m *model) quiesce() {
	for m.waiting()+len(m.started) > 0 {
		forward(m.t, m.rdb, Sync)
		m.pop()
		for _, id := range m.popped {
			m.start(id)
		}
		for _, id := range m.started {
			m.end(id, "done")
		}
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
