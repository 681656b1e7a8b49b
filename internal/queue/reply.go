package queue

import (
	"context"
	"errors"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// clean returns an error of Redis as one that is safe to show, and as an outage of the queue if it
// means that.
func clean(err error) error {
	shown := redisconn.Clean(err)
	if o := outage.Of(redisconn.Outage(outage.Queue, err)); o != nil {
		return outage.New(o.Store, o.Kind, o.Slow, shown)
	}
	return shown
}

// missingScript reports whether the server lacks the script, because it restarted or its cache was
// flushed. The command was not executed.
func missingScript(err error) bool {
	return err != nil && (errors.Is(err, redis.ErrNoScript) || redis.HasErrorPrefix(err, "NOSCRIPT"))
}

// transient reports whether a retry may succeed: after a network error, or while a server loads,
// fails over or moves slots. Callers that retry must watch their context, because a deadline may be
// that of one try.
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
