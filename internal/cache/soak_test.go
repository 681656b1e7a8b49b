//go:build soak

package cache

import (
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestSoakNoStaleReadThroughSentinel(t *testing.T) {
	t.Parallel()
	p := newPair(t)
	p.replica.Follow(t, p.primary)
	url := "redis+sentinel://" + redistest.StartSentinel(t, p.primary, "cache") + "/cache"
	defer p.hammer(url)()
	for range 20 {
		p.lag()
		p.primary.Kill()
		p.replica.WaitPromoted(t)
		p.more("hits", &p.hits, 500)
		p.primary.Start(t)
		p.swap()
	}
	p.report()
}

func TestSoakNoStaleReadThroughACluster(t *testing.T) {
	t.Parallel()
	p := newPair(t, "--cluster-enabled", "yes", "--cluster-node-timeout", "500")
	p.primary.OwnCluster(t)
	p.replica.JoinCluster(t, p.primary)
	url := "redis+cluster://" + p.primary.Addr + "," + p.replica.Addr
	for range 20 {
		p.replica.FollowInCluster(t, p.primary)
		stop := p.hammer(url) // a client keeps the nodes that it has found in the beginning
		p.more("hits", &p.hits, 20)
		p.replica.FollowInCluster(t, p.primary)
		p.primary.Isolate(t)
		p.change(url)
		p.more("hits", &p.hits, 20)
		p.primary.Kill()
		p.replica.TakeOver(t)
		p.more("hits", &p.hits, 500)
		stop()
		p.primary.Start(t)
		p.swap()
	}
	p.report()
}
