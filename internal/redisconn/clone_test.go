package redisconn

import (
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestCloneHasItsOwnConnections(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	if err := rdb.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	clone, closeClone := Clone(rdb)
	if got, err := clone.Get(t.Context(), "k").Result(); got != "v" || err != nil {
		t.Errorf("the clone reads %q, %v from the database", got, err)
	}
	closeClone()
	if err := clone.Ping(t.Context()).Err(); err == nil {
		t.Error("the clone works after it was closed")
	}
	if err := rdb.Ping(t.Context()).Err(); err != nil {
		t.Errorf("closing the clone closed the client: %v", err)
	}
}

func TestCloneReturnsUnknownClients(t *testing.T) {
	t.Parallel()
	rdb := struct{ redis.UniversalClient }{redistest.New(t)}
	clone, closeClone := Clone(rdb)
	closeClone()
	if clone != redis.UniversalClient(rdb) || rdb.Ping(t.Context()).Err() != nil {
		t.Error("a client of an unknown type is not returned, or is closed")
	}
}
