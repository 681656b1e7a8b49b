package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// keyless returns the environment without the keyset.
func (h *harness) keyless() map[string]string {
	return h.with(map[string]string{"ROUNDS_KEYS": "", "ROUNDS_TENANTS": "", "ROUNDS_CACHE_REDIS": ""})
}

// rdb returns a client of the queue's Redis.
func (h *harness) rdb(t *testing.T) redis.UniversalClient {
	t.Helper()
	rdb, err := redisconn.Dial(h.vars["ROUNDS_QUEUE_REDIS"], redisconn.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	return rdb
}

// fill enqueues n tasks with demands of the given age and returns their IDs.
func (h *harness) fill(t *testing.T, lane string, n int, ago, in time.Duration) []string {
	t.Helper()
	demands := make([]queue.Demand, n)
	for i := range demands {
		demands[i] = queue.Demand{
			Lane: lane, Digest: digestOf(fmt.Sprintf("%s%d%s", lane, i, ago)), Kind: "patient.sync", Timeout: time.Minute,
			Encode: func(string) ([]byte, map[string]string, error) {
				return []byte("sealed"), map[string]string{
					queue.HeaderTenant: "clinic-a", "v": "1", queue.HeaderEnqueuedAt: time.Now().Add(-ago).UTC().Format(time.RFC3339Nano),
				}, nil
			},
		}
		if in > 0 {
			demands[i].At = time.Now().Add(in)
		}
	}
	receipts, err := queue.NewProducer(h.rdb(t)).Enqueue(t.Context(), demands)
	if err != nil {
		t.Fatal(err)
	}
	ids := make([]string, n)
	for i, r := range receipts {
		ids[i] = r.ID
	}
	return ids
}

// digestOf makes a digest from a name.
func digestOf(name string) string {
	var b strings.Builder
	for i := range len(name) {
		b.WriteByte('a' + name[i]%26)
	}
	return (b.String() + strings.Repeat("z", 26))[:26]
}

// archive archives tasks as asynq does, and writes their dead letters.
func (h *harness) archive(t *testing.T, ids []string, code string) {
	t.Helper()
	i := asynq.NewInspectorFromRedisClient(h.rdb(t))
	for _, id := range ids {
		parsed, err := queue.ParseID(id)
		if err != nil {
			t.Fatal(err)
		}
		if err := i.ArchiveTask(parsed.Lane, id); err != nil {
			t.Fatal(err)
		}
		err = h.ledger.Bury(t.Context(), ledger.DeadLetter{
			TaskID: id, Tenant: "clinic-a", Kind: "patient.sync", Lane: parsed.Lane, Code: code, Attempts: 3,
			EnqueuedAt: time2026, DiedAt: time.Now().UTC().Add(-time.Hour), Payload: []byte("sealed"),
			Headers: map[string]string{queue.HeaderTenant: "clinic-a", "v": "1"},
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestQueueList(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.fill(t, queue.Sync, 3, time.Hour, 0)
	h.fill(t, queue.Warm, 2, time.Minute, time.Hour)
	h.archive(t, h.fill(t, queue.Push, 1, 0, 0), "denied")
	if o := rounds(t, h.keyless(), "queue", "pause", "warm", "--yes"); o.code != exitOK {
		t.Fatalf("%+v", o)
	}
	o := rounds(t, h.keyless(), "queue", "list", "--measure", "1ms", "--json")
	d := document[lanesDoc](t, o.stdout)
	if o.code != exitOK || len(d.Lanes) != 5 || d.At.IsZero() {
		t.Fatalf("%+v", o)
	}
	sync, warm, push := d.Lanes[2], d.Lanes[3], d.Lanes[1]
	if sync.Lane != queue.Sync || sync.Pending != 3 || sync.OldestSeconds < 3599 || sync.PerSecond == nil || len(sync.Advice) != 1 {
		t.Errorf("%+v", sync)
	}
	if !warm.Paused || warm.PausedSince.IsZero() || warm.Scheduled != 2 || time.Until(warm.NextDue) < 59*time.Minute || !strings.Contains(warm.Advice[0], "queue resume warm") {
		t.Errorf("%+v", warm)
	}
	if push.Archived != 1 || push.Pending != 0 || push.Advice[0] != "dead tasks: 1; see rounds dead list" {
		t.Errorf("%+v", push)
	}
	o = rounds(t, h.keyless(), "queue", "list")
	for _, want := range []string{"LANE ", "warm (paused)", "sync: no task of this lane is running", "1h0m"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is missing from:\n%s", want, o.stdout)
		}
	}
}

func TestQueueShow(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.fill(t, queue.Sync, 3, time.Hour, 0)
	h.fill(t, queue.Sync, 7, time.Minute, time.Hour)
	c := asynq.NewClientFromRedisClient(h.rdb(t))
	foreign := asynq.NewTaskWithHeaders("Jane Doe", []byte("Jane Doe"), map[string]string{"tenant": "Jane Doe"})
	if _, err := c.EnqueueContext(t.Context(), foreign, asynq.Queue(queue.Sync), asynq.TaskID("Jane Doe")); err != nil {
		t.Fatal(err)
	}
	o := rounds(t, h.keyless(), "queue", "show", "sync", "--json")
	d := document[laneTasksDoc](t, o.stdout)
	pending, scheduled := d.States[0], d.States[2]
	if o.code != exitOK || pending.Tasks != 4 || pending.Sampled != 4 || len(pending.Next) != 4 || pending.Next[0].Tenant != "clinic-a" ||
		pending.Next[0].EnqueuedAt.IsZero() {
		t.Errorf("%+v", o)
	}
	if want := []countDoc{{Name: "patient.sync", Tasks: 3}, {Tasks: 1}}; fmt.Sprint(pending.Kinds) != fmt.Sprint(want) {
		t.Errorf("kinds %+v", pending.Kinds)
	}
	if scheduled.Tasks != 7 || len(scheduled.Next) != maxNext || scheduled.Next[0].NextAt.IsZero() || scheduled.Reasons[0].Means == "" {
		t.Errorf("%+v", scheduled)
	}
	text := rounds(t, h.keyless(), "queue", "show", "sync", "--look", "2")
	if !strings.Contains(text.stdout, ", the next 2 are counted") || !strings.Contains(text.stdout, "patient.sync") {
		t.Errorf("%+v", text)
	}
	if strings.Contains(o.stdout+text.stdout, "Jane") || strings.Contains(o.stdout+text.stdout, "sealed") {
		t.Error("text of a foreign task or a payload is printed")
	}
}

func TestQueuePauseAndResume(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	vars := h.keyless()
	for _, step := range []struct {
		verb            string
		paused, changed bool
	}{{"pause", true, true}, {"pause", true, false}, {"resume", false, true}, {"resume", false, false}} {
		o := rounds(t, vars, "queue", step.verb, "sync", "--yes", "--json")
		d := document[switchDoc](t, o.stdout)
		if o.code != exitOK || d.Lane != queue.Sync || d.Paused != step.paused || d.Changed != step.changed {
			t.Errorf("%s: %+v", step.verb, o)
		}
		if logged := strings.Contains(o.stderr, "lane paused or resumed lane=sync state="+strings.TrimSuffix(step.verb, "e")+"ed"); logged != step.changed {
			t.Errorf("%s: stderr %q", step.verb, o.stderr)
		}
	}
}

// Commands that affect others require a confirmation.
func TestQueueChangesRequireConfirmation(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	h.fill(t, queue.Sync, 1, time.Hour, time.Hour)
	for _, args := range [][]string{
		{"queue", "pause", "sync"},
		{"queue", "resume", "sync"},
		{"queue", "purge", "sync", "--state", "scheduled", "--older-than", "1m"},
	} {
		o := rounds(t, h.keyless(), append(args, "--json")...)
		if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "USAGE" || !strings.Contains(f.What, "--yes") {
			t.Errorf("%v: %+v", args, o)
		}
		if text := rounds(t, h.keyless(), args...); text.code != exitUsage || !strings.Contains(text.stderr, "nothing was changed") {
			t.Errorf("%v: %+v", args, text)
		}
	}
	all, err := queue.Stats(t.Context(), h.rdb(t))
	if err != nil || all[2].Paused || all[2].Scheduled != 1 {
		t.Errorf("%+v, %v", all[2], err)
	}
}

func TestQueuePurge(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	dead := h.fill(t, queue.Sync, 3, time.Hour, 0)
	h.archive(t, dead, "denied")
	if err := h.ledger.Resolve(t.Context(), dead[0], ledger.StateResolved); err != nil { // by another operator
		t.Fatal(err)
	}
	h.fill(t, queue.Sync, purgeBatch+1, 2*time.Hour, time.Hour)
	h.fill(t, queue.Sync, 2, time.Minute, time.Hour)

	args := []string{"queue", "purge", "sync", "--yes", "--json", "--older-than"}
	o := rounds(t, h.keyless(), append(args, "30m", "--state", "scheduled")...)
	d := document[purgeDoc](t, o.stdout)
	if o.code != exitOK || d.Found != purgeBatch+1 || d.Removed != purgeBatch+1 || d.More {
		t.Errorf("%+v", o)
	}
	if o := rounds(t, h.keyless(), append(args, "24h", "--state", "archived")...); document[purgeDoc](t, o.stdout).Found != 0 {
		t.Errorf("recently dead tasks were removed: %+v", o)
	}
	h.rdb(t).ZAdd(t.Context(), "asynq:{sync}:archived", redis.Z{Score: 1, Member: dead[0]}, redis.Z{Score: 1, Member: dead[1]}, redis.Z{Score: 1, Member: dead[2]})
	o = rounds(t, h.keyless(), append(args, "24h", "--state", "archived")...)
	if d := document[purgeDoc](t, o.stdout); o.code != exitOK || d.Removed != 3 || d.Resolved != 2 || !strings.Contains(o.stderr, "lane purged") {
		t.Errorf("%+v", o)
	}
	for _, id := range dead {
		if l, err := h.ledger.DeadLetter(t.Context(), id); err != nil || l.State != ledger.StateResolved {
			t.Errorf("%+v, %v", l, err)
		}
	}
	all, err := queue.Stats(t.Context(), h.rdb(t))
	if err != nil || all[2].Scheduled != 2 || all[2].Archived != 0 {
		t.Errorf("%+v, %v", all[2], err)
	}
}

func TestQueueBadUsage(t *testing.T) {
	t.Parallel()
	h := newHarness(t)
	for _, args := range [][]string{
		{"queue", "show", "nowhere"},
		{"queue", "show", "sync", "--look", "0"},
		{"queue", "show", "sync", "--look", "1000000000"},
		{"queue", "list", "--measure", "-1s"},
		{"queue", "pause", "asynq:{sync}", "--yes"},
		{"queue", "purge", "sync", "--older-than", "1h", "--yes"},
		{"queue", "purge", "sync", "--state", "active", "--older-than", "1h", "--yes"},
		{"queue", "purge", "sync", "--state", "retry", "--yes"},
		{"queue", "purge", "sync", "--state", "retry", "--older-than", "-1h", "--yes"},
		{"queue", "purge", "sync", "--state", "retry", "--older-than", "yesterday", "--yes"},
	} {
		o := rounds(t, h.keyless(), append(args, "--json")...)
		if f := failed(t, o.stdout); o.code != exitUsage || f.Code != "USAGE" {
			t.Errorf("%v: %+v", args, o)
		}
	}
}

func TestQueueWithoutRedis(t *testing.T) {
	t.Parallel()
	vars := map[string]string{"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": "redis://:hush@" + progtest.Vacant(t)}
	for _, args := range [][]string{{"queue", "list"}, {"queue", "show", "sync"}, {"queue", "pause", "sync", "--yes"}} {
		o := rounds(t, vars, append(args, "--json")...)
		if f := failed(t, o.stdout); o.code != exitDependency || f.Code != "DEPENDENCY" || strings.Contains(o.stdout+o.stderr, "hush") {
			t.Errorf("%v: %+v", args, o)
		}
	}
}

// After an interruption, the exit code is 9 if tasks were removed or dead letters resolved.
func TestInterruptedPurge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		done purgeDoc
		exit int
	}{
		"nothing done":             {purgeDoc{Found: 3}, exitDependency},
		"one dead letter resolved": {purgeDoc{Found: 3, Resolved: 1}, exitPartly},
		"some tasks removed":       {purgeDoc{Found: 3, Removed: 2}, exitPartly},
	} {
		if got := explain(t.Context(), t.Context(), c.done.interrupted(redisconn.ErrUnavailable)); got.Exit != c.exit {
			t.Errorf("%s: exit %d, want %d", name, got.Exit, c.exit)
		}
	}
}
