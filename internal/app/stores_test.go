package app

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// A cluster is unavailable if one of its primaries is.
func TestProbeReachesEachPrimary(t *testing.T) {
	t.Parallel()
	var nodes []*redistest.Node
	for range 3 {
		nodes = append(nodes, redistest.StartNode(t, "--cluster-enabled", "yes", "--cluster-require-full-coverage", "no"))
	}
	redistest.ShareCluster(t, nodes...)
	rdb, err := redisconn.Dial("redis+cluster://"+nodes[0].Addr, redisconn.Options{Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = rdb.Close() })
	try := probe(outage.Cache, rdb, "c1")
	want := func(what string, code codes.Code) {
		t.Helper()
		switch o := outage.Of(try(t.Context(), false)); {
		case code == "" && o != nil:
			t.Errorf("%s: %v", what, o)
		case code != "" && (o == nil || o.Code() != code):
			t.Errorf("%s: %v, want %s", what, o, string(code))
		}
	}
	for _, n := range nodes {
		want("at first", "")
		if err := n.Client(t).ConfigSet(t.Context(), "maxmemory", "1").Err(); err != nil {
			t.Fatal(err)
		}
		want("a primary is full", codes.CacheFull)
		if err := n.Client(t).ConfigSet(t.Context(), "maxmemory", "0").Err(); err != nil {
			t.Fatal(err)
		}
	}
	nodes[1].Kill()
	want("a primary is down", codes.CacheUnavailable)
}
