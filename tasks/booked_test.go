package tasks

import (
	"fmt"
	"testing"
	"time"
)

// patients are tasks of one practice that each call the vendor once.
func patients(n int) []Args {
	out := make([]Args, n)
	for i := range out {
		out[i] = SyncPatient{Practice: "7", Patient: PatientID(fmt.Sprint(1000 + i))}
	}
	return out
}

// scheduled returns how far away each of the lane's scheduled tasks is.
func (b *bundle) scheduled(t *testing.T) map[string]time.Duration {
	t.Helper()
	now := b.rdb.Time(t.Context()).Val()
	out := map[string]time.Duration{}
	for _, z := range b.rdb.ZRangeWithScores(t.Context(), "asynq:{sync}:scheduled", 0, -1).Val() {
		out[fmt.Sprint(z.Member)] = time.UnixMicro(int64(z.Score * 1e6)).Sub(now)
	}
	return out
}

// A batch is scheduled as the vendor's interval allows, and the first of it runs at once. Nothing
// of another tenant waits for it.
func TestBatchIsBooked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	receipts, err := b.client.EnqueueMany(t.Context(), "clinic-a", patients(40))
	must(t, err)
	waits := b.scheduled(t)
	if len(waits) < 35 || len(waits) > 39 {
		t.Errorf("%d of 40 are scheduled", len(waits))
	}
	for i, r := range receipts {
		wait, ok := waits[r.ID]
		// The interval is 250 ms, and the places are a little more apart.
		if most := time.Duration(i) * 300 * time.Millisecond; ok && wait > most {
			t.Errorf("task %d waits %v", i, wait)
		}
		if least := time.Duration(i)*250*time.Millisecond - 3*time.Second; wait < least {
			t.Errorf("task %d waits only %v", i, wait)
		}
	}
	other, err := b.client.Enqueue(t.Context(), "clinic-b", SyncPatient{Practice: "7", Patient: "1"})
	must(t, err)
	person, err := b.client.Enqueue(t.Context(), "clinic-a", SyncPatient{Practice: "7", Patient: "1"}, Interactive())
	must(t, err)
	for name, id := range map[string]string{"of another tenant": other.ID, "that a person waits for": person.ID} {
		if s := b.status(t, id); s.State != StateWaiting {
			t.Errorf("a task %s is %s", name, s.State)
		}
	}
}

// Demands that join a waiting task leave their places to others.
func TestJoinedDemandsTakeNoPlaces(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for range 5 {
		_, err := b.client.EnqueueMany(t.Context(), "clinic-a", patients(30))
		must(t, err)
	}
	r, err := b.client.Enqueue(t.Context(), "clinic-a", SyncPatient{Practice: "7", Patient: "1"})
	must(t, err)
	if wait := b.scheduled(t)[r.ID]; wait > 31*300*time.Millisecond {
		t.Errorf("after 30 tasks that were demanded five times, another waits %v", wait)
	}
}

// A demand for a later time is booked for then, and never before.
func TestLaterDemandsAreBookedForLater(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, err := b.client.EnqueueMany(t.Context(), "clinic-a", patients(30), In(time.Hour))
	must(t, err)
	var most time.Duration
	for id, wait := range b.scheduled(t) {
		if wait < time.Hour-time.Second {
			t.Errorf("%s runs in %v", id, wait)
		}
		most = max(most, wait)
	}
	if most < time.Hour+6*time.Second || most > time.Hour+12*time.Second {
		t.Errorf("the last of 30 runs in %v", most)
	}
	if r := b.enqueue(t, SyncPatient{Practice: "7", Patient: "1"}); b.status(t, r.ID).State != StateWaiting {
		t.Error("tasks for later keep one for now waiting")
	}
}

// A demand is accepted without a place if there is no calendar, and its place is free again if the
// queue then fails.
func TestDemandsWithoutACalendar(t *testing.T) {
	t.Parallel()
	b := setup(t)
	must(t, b.rdb.Set(t.Context(), "f1c:{clinic-a}:b:GetPatient", "damaged", 0).Err())
	receipts, err := b.client.EnqueueMany(t.Context(), "clinic-a", patients(5))
	must(t, err)
	for _, r := range receipts {
		if s := b.status(t, r.ID); s.State != StateWaiting {
			t.Errorf("%+v", s)
		}
	}
	must(t, b.rdb.Set(t.Context(), "asynq:{sync}:scheduled", "damaged", 0).Err())
	for range 5 {
		if _, err := b.client.EnqueueMany(t.Context(), "clinic-b", patients(20)); err == nil {
			t.Fatal("enqueued into a damaged lane")
		}
	}
	must(t, b.rdb.Del(t.Context(), "asynq:{sync}:scheduled").Err())
	must(t, b.rdb.Del(t.Context(), "asynq:{sync}:pending").Err())
	_, err = b.client.EnqueueMany(t.Context(), "clinic-b", patients(20))
	must(t, err)
	for id, wait := range b.scheduled(t) {
		if wait > 20*300*time.Millisecond {
			t.Errorf("%s waits %v after demands that failed", id, wait)
		}
	}
}
