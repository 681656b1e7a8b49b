package redisconn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrUnavailable means that Redis was unreachable or did not reply. A command that was sent may
// have been executed.
var ErrUnavailable = errors.New("redis unavailable")

// ReplyError is an error reply of Redis, reduced to its first word (OOM, READONLY, WRONGTYPE). The
// rest of the reply may quote data.
type ReplyError struct{ Word string }

// Error returns "redis refused: " and the word.
func (e *ReplyError) Error() string { return "redis refused: " + e.Word }

// Clean returns an error that is safe to show and to store. It keeps context errors, reduces
// replies to ReplyError, and replaces everything else with ErrUnavailable: the client's texts name
// addresses.
func Clean(err error) error {
	var reply redis.Error
	switch {
	case err == nil || errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &reply) && !isUndialed(err):
		word, _, _ := strings.Cut(reply.Error(), " ")
		if word == "" || strings.ToUpper(word) != word || len(word) > 20 {
			word = "ERR"
		}
		return &ReplyError{Word: word}
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%w: %w", ErrUnavailable, context.DeadlineExceeded)
	}
	return ErrUnavailable
}

// IsReply reports whether err is an error reply of Redis, as opposed to a failed connection.
func IsReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, redis.Nil)
}
