package queue

import (
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// TestAppendedFieldsReplaceEarlierOnes checks that asynq uses the last occurrence of a field in a
// message, on which inherited failures and the move to quarantine rely.
func TestAppendedFieldsReplaceEarlierOnes(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	key := asynqTaskPrefix(Sync) + id.String()
	at := time.Now().Add(-time.Hour).Truncate(time.Second)
	failed := func(n uint64, code codes.Code) string {
		return string(appendInt(nil, fieldRetried, n)) + string(reasonFields(code, at))
	}
	message := rdb.HGet(t.Context(), key, "msg").Val() + failed(300, "denied") + failed(4, "error")
	message += string(appendText(nil, fieldQueue, "lab.quarantine"))
	rdb.HSet(t.Context(), key, "msg", message)
	info, err := find(t.Context(), rdb, id)
	if err != nil || info.Retried != 4 || info.LastErr != "error" || !info.LastFailedAt.Equal(at) || info.Queue != "lab.quarantine" {
		t.Errorf("%+v, %v", info, err)
	}
	if info.ID != id.String() || info.Type != "test.run" || info.Timeout != time.Minute || info.Headers["tenant"] != "clinic-a" {
		t.Errorf("the other fields: %+v", info)
	}
	if !readable([]byte(message), id.String(), "lab.quarantine") {
		t.Error("the message is not readable")
	}
}

// TestReadableAgreesWithAsynq checks that no message is passed to asynq that it could not decode or
// acknowledge.
func TestReadableAgreesWithAsynq(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	id := parse(t, enqueue(t, NewProducer(rdb), demand(Sync, "a")).ID)
	good := rdb.HGet(t.Context(), asynqTaskPrefix(Sync)+id.String(), "msg").Val()
	if !readable([]byte(good), id.String(), Sync) {
		t.Fatal("a good message is not readable")
	}
	for name, message := range map[string]string{
		"empty":            "",
		"text":             "not a message",
		"cut":              good[:len(good)-1],
		"endless varint":   good + strings.Repeat("\xff", 11),
		"huge length":      good + "\x12\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
		"field 0":          good + "\x00\x01",
		"a group":          good + "\x0b",
		"invalid UTF-8":    good + string(appendText(nil, fieldError, "\xff")),
		"invalid header":   good + string(appendText(nil, fieldHeaders, "\x0a\x01\xff")),
		"another task's":   good + string(appendText(nil, fieldID, "x")),
		"another lane's":   good + string(appendText(nil, fieldQueue, Warm)),
		"no ID of its own": string(appendText(nil, fieldQueue, Sync)),
	} {
		if readable([]byte(message), id.String(), Sync) {
			t.Errorf("%s: readable", name)
		}
	}
}

func FuzzReadable(f *testing.F) {
	f.Add([]byte("\x1a\x01x\x22\x04sync"))
	rdb := redistest.New(f)
	f.Fuzz(func(t *testing.T, message []byte) {
		if !readable(message, "x", Sync) {
			return
		}
		rdb.FlushDB(t.Context())
		key := asynqTaskPrefix(Sync) + "x"
		rdb.SAdd(t.Context(), asynqQueues, Sync)
		rdb.HSet(t.Context(), key, "msg", message, "state", StatePending)
		rdb.LPush(t.Context(), asynqKey(Sync, suffixPending), "x")
		if infos, err := asynq.NewInspectorFromRedisClient(rdb).ListPendingTasks(Sync); err != nil || len(infos) != 1 {
			t.Errorf("asynq reads %d tasks from %q, %v", len(infos), message, err)
		}
	})
}
