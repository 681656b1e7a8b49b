package tasks

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// noteTwo is version 2 of note, which adds a field.
type noteTwo struct {
	Text   string `json:"text"`
	Number int64  `json:"number"`
	Color  string `json:"color,omitempty"`
}

func (noteTwo) Kind() string { return "note.write" }
func (noteTwo) Version() int { return 2 }

// rotated returns the keyset with another key added, which seals if primary is set.
func rotated(t testing.TB, keys []byte, primary bool) []byte {
	t.Helper()
	type keyset struct {
		Primary uint32            `json:"primaryKeyId"`
		Key     []json.RawMessage `json:"key"`
	}
	var before, added keyset
	must(t, json.Unmarshal(keys, &before))
	must(t, json.Unmarshal(newKeys(t), &added))
	before.Key = append(before.Key, added.Key...)
	if primary {
		before.Primary = added.Primary
	}
	out, err := json.Marshal(before)
	must(t, err)
	return out
}

// ends count how tasks ended.
type ends struct{ done, later, dead atomic.Int64 }

// program is one release with one keyset.
type program struct {
	client *Client
	worker *Router
	args   []Args // of the kinds that the release enqueues
}

func newProgram(t testing.TB, release int, keys []byte, ran *ends) program {
	t.Helper()
	client, err := NewClient(ClientOptions{Keys: keys})
	must(t, err)
	r, err := NewRouter(RouterOptions{Keys: keys, Bury: func(context.Context, DeadLetter) error { ran.dead.Add(1); return nil }})
	must(t, err)
	p := program{client: client, worker: r, args: []Args{note{Text: "x"}}}
	if release == 0 {
		Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { ran.done.Add(1); return nil }))
		return p
	}
	p.args = []Args{noteTwo{Text: "x", Color: "red"}, memo{Text: "x"}}
	Handle(r, WorkerFunc[noteTwo](func(context.Context, *Job[noteTwo]) error { ran.done.Add(1); return nil }))
	Handle(r, WorkerFunc[memo](func(context.Context, *Job[memo]) error { ran.done.Add(1); return nil }))
	return p
}

// In every order in which gateway, scheduler and two workers get a release with a new kind and a
// newer version, and a keyset with a new key, each task runs and none dies.
func TestRollsInAnyOrderLoseNoTask(t *testing.T) {
	t.Parallel()
	ran := &ends{}
	oldKeys := newKeys(t)
	newKeyset := rotated(t, oldKeys, true)
	var programs [2][2]program // by release and keyset
	for release := range 2 {
		programs[release] = [2]program{newProgram(t, release, oldKeys, ran), newProgram(t, release, newKeyset, ran)}
	}
	var enqueued int64
	rapid.Check(t, func(rt *rapid.T) {
		var release, keyset [4]int // of gateway, scheduler, and both workers
		at := func(process int) program { return programs[release[process]][keyset[process]] }
		var waiting []Delivery
		work := func(worker func() int) {
			waiting = slices.DeleteFunc(waiting, func(d Delivery) bool {
				o := OutcomeOf(at(worker()).worker.Deliver(rt.Context(), d))
				switch {
				case o.State == OutcomeLater && time.Until(o.NextAt) < time.Minute:
					ran.later.Add(1)
					return false
				case o.State != OutcomeDone:
					rt.Errorf("%s, releases %v, keysets %v: %+v", d.Kind, release, keyset, o)
				}
				return true
			})
		}
		steps := rapid.Permutation([]int{0, 1, 2, 3, 4, 5, 6, 7}).Draw(rt, "order of deployment")
		for _, step := range steps {
			if step < 4 {
				release[step] = 1
			} else {
				keyset[step-4] = 1
			}
			for producer := range 2 {
				for _, a := range at(producer).args {
					d, err := at(producer).client.Seal(rt.Context(), "clinic-a", a)
					if err != nil {
						rt.Fatal(err)
					}
					waiting, enqueued = append(waiting, d), enqueued+1
				}
			}
			work(func() int { return rapid.IntRange(2, 3).Draw(rt, "worker") })
		}
		work(func() int { return 2 })
		if len(waiting) > 0 {
			rt.Errorf("%d tasks wait after the last deployment", len(waiting))
		}
	})
	if ran.done.Load() != enqueued || ran.dead.Load() != 0 || ran.later.Load() == 0 {
		t.Errorf("of %d tasks %d ran and %d died; %d waits", enqueued, ran.done.Load(), ran.dead.Load(), ran.later.Load())
	}
}

// A task that this worker cannot run yet waits for at most a minute at a time, until a day after
// its demand.
func TestUnknownToThisWorkerIsLaterForADay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := NewClient(ClientOptions{Keys: rotated(t, b.keys, true)})
	must(t, err)
	r := b.router(t, RouterOptions{})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { t.Error("the task ran"); return nil }))
	for want, spoil := range map[Code]func(*Delivery){
		codes.UnknownKind: func(d *Delivery) { d.Kind = "note.write.again" },
		codes.NewerVersion: func(d *Delivery) {
			d.Headers[headerVersion], d.Payload = "99", []byte("in a format of a later version")
		},
		codes.UnknownKey: func(d *Delivery) {
			next, err := other.Seal(t.Context(), "clinic-a", note{})
			must(t, err)
			*d = next
		},
	} {
		for age, state := range map[time.Duration]string{
			0: OutcomeLater, 23 * time.Hour: OutcomeLater, 24*time.Hour + time.Minute: OutcomeDead, 1000 * time.Hour: OutcomeDead,
			-time.Hour: OutcomeLater, // its producer's clock is ahead
		} {
			d := b.seal(t, note{})
			spoil(&d)
			d.Headers[headerEnqueuedAt] = time.Now().Add(-age).UTC().Format(time.RFC3339Nano)
			o := OutcomeOf(r.Deliver(t.Context(), d))
			if o.State != state || o.Code != want {
				t.Errorf("%s, %v old: %+v", want, age, o)
			}
			if wait := time.Until(o.NextAt); state == OutcomeLater && (wait < 20*time.Second || wait > time.Minute) {
				t.Errorf("%s waits %v", want, wait)
			}
		}
	}
}

// A task that names no time of its demand, or one in the future, is not postponed forever.
func TestTaskFromTheFutureIsNotPostponedForever(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{Redis: b.rdb})
	d := b.seal(t, note{})
	delete(d.Headers, headerEnqueuedAt)
	if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDead || o.Code != codes.UnknownKind {
		t.Errorf("without a time: %+v", o)
	}
	d.Headers[headerEnqueuedAt] = time.Now().AddDate(10, 0, 0).UTC().Format(time.RFC3339Nano)
	key := fmt.Sprintf("asynq:{%s}:t:%s", d.Lane, d.ID)
	must(t, b.rdb.HSet(t.Context(), key, "msg", "x", "state", "active").Err())
	for range 2 {
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeLater || o.Code != codes.UnknownKind {
			t.Errorf("from the future: %+v", o)
		}
	}
	must(t, b.rdb.HIncrBy(t.Context(), key, "refused_at", -int64(rollTime/time.Second)).Err())
	if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDead || o.Code != codes.UnknownKind {
		t.Errorf("a day later: %+v", o)
	}
	must(t, b.rdb.Del(t.Context(), key).Err())
	if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeLater || b.rdb.Exists(t.Context(), key).Val() != 0 {
		t.Errorf("a task that is gone: %+v, its record exists again: %d", o, b.rdb.Exists(t.Context(), key).Val())
	}
}

// A worker that uses a key outside of its keyset, for credentials or a data key, says so by code.
func TestUnknownKeyOfAWorkerIsLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other, err := NewClient(ClientOptions{Keys: rotated(t, b.keys, true)})
	must(t, err)
	sealed, err := other.keys.For("clinic-a").Seal([]byte("x"), "credentials")
	must(t, err)
	r := b.router(t, RouterOptions{})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error {
		_, err := b.client.keys.For("clinic-a").Open(sealed, "credentials")
		return fmt.Errorf("open credentials: %w", err)
	}))
	d := b.seal(t, note{})
	for _, failed := range []int{0, 2} { // of three attempts
		d.Failed = failed
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeLater || o.Code != codes.UnknownKey {
			t.Errorf("after %d failures: %+v", failed, o)
		}
	}
	d.Headers[headerEnqueuedAt] = time.Now().Add(-25 * time.Hour).UTC().Format(time.RFC3339Nano)
	if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDead || o.Code != codes.UnknownKey {
		t.Errorf("a day later: %+v", o)
	}
}

// A new worker runs what an old one postponed.
func TestNewWorkerRunsWhatAnOldOnePostponed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	old := b.serve(t, b.router(t, RouterOptions{Redis: b.rdb}))
	id := b.enqueue(t, note{Text: "x"}).ID
	eventually(t, "the old worker postpones the task", func() bool {
		s := b.status(t, id)
		return s.State == StateRetrying && s.Code == codes.UnknownKind
	})
	must(t, old.Stop(t.Context()))
	if s := b.status(t, id); s.Attempt != 0 || time.Until(s.NextAt) > time.Minute {
		t.Errorf("%+v", s)
	}
	b.rdb.ZAdd(t.Context(), "asynq:{sync}:retry", redis.Z{Score: float64(time.Now().Unix()), Member: id})
	r := b.router(t, RouterOptions{Redis: b.rdb})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
	b.serve(t, r)
	eventually(t, "the new worker runs it", func() bool { return b.status(t, id).State == StateDone })
}
