package redistest

import (
	"net"
	"strings"
	"testing"
)

// OwnCluster makes the node, which is started with cluster-enabled, the owner of all slots of a new
// cluster.
func (n *Node) OwnCluster(t testing.TB) {
	t.Helper()
	n.do(t, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	c := n.Client(t)
	n.eventually(t, "the cluster is up", func() bool { return c.Get(t.Context(), "x").Err().Error() == "redis: nil" })
}

// ShareCluster makes nodes, which are started with cluster-enabled, primaries of a new cluster with
// equal shares of the slots.
func ShareCluster(t testing.TB, nodes ...*Node) {
	t.Helper()
	for i, n := range nodes {
		n.do(t, "CLUSTER", "ADDSLOTSRANGE", i*16384/len(nodes), (i+1)*16384/len(nodes)-1)
		if i > 0 {
			n.JoinCluster(t, nodes[0])
		}
	}
	for _, n := range nodes {
		c := n.Client(t)
		n.eventually(t, "the cluster is up", func() bool {
			shards, err := c.ClusterShards(t.Context()).Result()
			return err == nil && len(shards) == len(nodes) && strings.Contains(c.ClusterInfo(t.Context()).Val(), "cluster_state:ok")
		})
	}
}

// JoinCluster introduces the node to the owner.
func (n *Node) JoinCluster(t testing.TB, owner *Node) {
	t.Helper()
	host, port, _ := net.SplitHostPort(owner.Addr)
	n.do(t, "CLUSTER", "MEET", host, port)
}

// FollowInCluster is Follow for nodes of a cluster. It also waits until clients find the node.
func (n *Node) FollowInCluster(t testing.TB, owner *Node) {
	t.Helper()
	owner.do(t, "ACL", "SETUSER", "default", "+psync", "+sync")
	id := owner.Client(t).ClusterMyID(t.Context()).Val()
	c := n.Client(t)
	n.eventually(t, "the node knows the owner", func() bool { return c.Do(t.Context(), "CLUSTER", "REPLICATE", id).Err() == nil })
	n.catchUp(t, owner)
	theirs := owner.Client(t)
	n.eventually(t, "the owner lists the replica", func() bool {
		shards := theirs.ClusterShards(t.Context()).Val()
		return len(shards) == 1 && len(shards[0].Nodes) == 2
	})
}

// TakeOver makes a replica the owner of its primary's slots.
func (n *Node) TakeOver(t testing.TB) {
	t.Helper()
	n.do(t, "CLUSTER", "FAILOVER", "TAKEOVER")
	n.WaitPromoted(t)
}
