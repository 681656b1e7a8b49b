package redisconn_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestReadSnapshots(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	var keys []string
	for i := range 1100 { // more than two pipelines
		keys = append(keys, "h"+strconv.Itoa(i))
	}
	soon := rdb.Time(t.Context()).Val().Add(time.Minute)
	rdb.HSet(t.Context(), "h1099", "until", soon.UnixMicro(), "reason", "timeout", "other", "x")
	got, err := redisconn.ReadSnapshots(t.Context(), rdb, keys, "until", "reason", "missing")
	if err != nil || len(got) != len(keys) {
		t.Fatalf("%d snapshots, %v", len(got), err)
	}
	if s := got[0]; s.Int("until") != 0 || s.Text("reason") != "" {
		t.Errorf("a missing hash: %+v", s)
	}
	s := got[1099]
	if s.Text("reason") != "timeout" || s.Int("reason") != 0 || s.Int("missing") != 0 || s.Text("other") != "" {
		t.Errorf("fields: %+v", s)
	}
	if d := s.Until("until"); d > time.Minute || d < 30*time.Second {
		t.Errorf("%v until a time one minute ahead", d)
	}
	_ = rdb.Close()
	if _, err := redisconn.ReadSnapshots(t.Context(), rdb, keys, "until"); err == nil {
		t.Error("read without Redis")
	}
}
