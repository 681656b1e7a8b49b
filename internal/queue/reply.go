package queue

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// missingScript reports that the server does not have the script: it restarted
// or its cache was flushed. The command was not executed.
func missingScript(err error) bool {
	return err != nil && (errors.Is(err, redis.ErrNoScript) || redis.HasErrorPrefix(err, "NOSCRIPT"))
}

// transient reports an error that may be gone at the next try: the network, or
// a server that loads, fails over or moves slots. Whoever tries again watches
// the context; a deadline may as well be that of one try.
func transient(err error) bool {
	if err == nil || errors.Is(err, redis.Nil) || errors.Is(err, context.Canceled) {
		return false
	}
	if !redisconn.IsReply(err) {
		return true
	}
	return slices.ContainsFunc([]string{"LOADING", "READONLY", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN", "MOVED", "ASK", "BUSY"},
		func(word string) bool { return redis.HasErrorPrefix(err, word) })
}
