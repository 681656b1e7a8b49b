package redisconn

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

// ErrUnavailable means that Redis could not be asked or did not answer. What
// was sent may have happened.
var ErrUnavailable = errors.New("redis unavailable")

// ReplyError is an error reply of Redis, told by its first word (OOM,
// READONLY, WRONGTYPE). The rest of the reply is kept out of our texts.
type ReplyError struct{ Word string }

// Error returns "redis refused: " and the word.
func (e *ReplyError) Error() string { return "redis refused: " + e.Word }

// Clean makes an error of the client fit to be shown and stored: contexts'
// errors stay, replies keep their first word, the rest is ErrUnavailable.
func Clean(err error) error {
	var reply redis.Error
	switch {
	case err == nil || errors.Is(err, ErrUnavailable):
		return err
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.As(err, &reply):
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

// IsReply reports an error that Redis itself answered with.
func IsReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply) && !errors.Is(err, redis.Nil)
}
