package queue

import (
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// TestTasksResumeAfterAnOutage checks that tasks of any kind that a store has stopped run at once,
// and that others, and those that wait for long, keep their waits.
func TestTasksResumeAfterAnOutage(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		p, runs := NewProducer(rdb), NewRuns(rdb)
		id := map[string]ID{}
		for _, task := range []struct {
			char string
			code codes.Code
			wait time.Duration
		}{
			{"a", codes.LedgerFull, 30 * time.Second},
			{"b", codes.Error, 30 * time.Second},
			{"c", codes.LedgerFull, 30 * time.Second},
			{"d", codes.LedgerFull, time.Hour},
		} {
			d := demand(Sync, task.char)
			d.Kind = "test." + task.char
			id[task.char] = parse(t, enqueue(t, p, d).ID)
			if got, ok := pop(t, rdb, Sync); !ok || got != id[task.char] {
				t.Fatalf("popped %v", got)
			}
			must(t, runs.Start(t.Context(), id[task.char]))
			stopped(t, rdb, id[task.char], task.code)
			at := redis.Z{Score: float64(time.Now().Add(task.wait).Unix()), Member: id[task.char].String()}
			must(t, rdb.ZAdd(t.Context(), asynqKey(Sync, suffixRetry), at).Err())
		}
		must(t, rdb.ZAdd(t.Context(), asynqKey(Sync, suffixRetry), redis.Z{Score: 1, Member: "ghost"}).Err())
		for range 2 { // the second time it finds nothing more
			must(t, Hasten(t.Context(), rdb, Sync, time.Minute, func(c codes.Code) bool { return c == codes.LedgerFull }))
		}
		ran := map[ID]bool{}
		for range 2 {
			next, _ := pop(t, rdb, Sync)
			ran[next] = true
		}
		if other, ok := pop(t, rdb, Sync); ok || !ran[id["a"]] || !ran[id["c"]] {
			t.Errorf("%v run, and %v", ran, other)
		}
	})
}

// TestManyTasksResume checks that all tasks resume that are more than one reply lists.
func TestManyTasksResume(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, rdb *redis.Client) {
		const n = 2*placesBatch + 10
		_, err := rdb.Pipelined(t.Context(), func(p redis.Pipeliner) error {
			for i := range n {
				name := "old" + string(rune('a'+i%26)) + time.Duration(i).String()
				message := appendText(nil, fieldType, "test.run")
				if i%2 == 0 {
					message = append(message, reasonFields(codes.CacheFull, time.Now())...)
				}
				p.HSet(t.Context(), asynqTaskPrefix(Sync)+name, "msg", message, "state", "retry")
				p.ZAdd(t.Context(), asynqKey(Sync, suffixRetry), redis.Z{Score: float64(i), Member: name})
			}
			return nil
		})
		must(t, err)
		must(t, Hasten(t.Context(), rdb, Sync, time.Second, func(c codes.Code) bool { return c == codes.CacheFull }))
		pending, kept := rdb.LLen(t.Context(), asynqKey(Sync, suffixPending)).Val(), rdb.ZCard(t.Context(), asynqKey(Sync, suffixRetry)).Val()
		if pending != n/2 || kept != n/2 {
			t.Errorf("%d resumed and %d wait, of %d", pending, kept, n)
		}
	})
}
