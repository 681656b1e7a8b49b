package redisconn

import (
	"context"
	"errors"
	"io"
	"net"
	"regexp"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/outage"
)

// Outage returns err as an outage of the store if it means that the store is unavailable: it cannot
// be reached, does not answer, is full or accepts no writes. Any other error is returned as it is,
// such as one that blames the command, or the context of a caller that canceled.
func Outage(s outage.Store, err error) error {
	var reply redis.Error
	switch {
	case err == nil || outage.Of(err) != nil || errors.Is(err, context.Canceled):
		return err
	case isUndialed(err):
		return outage.New(s, outage.Unavailable, isSlow(err), err)
	case errors.As(err, &reply):
		if k, ok := refusals[refusal(reply.Error())]; ok {
			return outage.New(s, k, false, err)
		}
		if redis.IsMaxClientsError(err) {
			return outage.New(s, outage.Unavailable, false, err)
		}
		return err
	case isSlow(err):
		return outage.New(s, outage.Unavailable, true, err)
	case isBroken(err):
		return outage.New(s, outage.Unavailable, false, err)
	}
	return err
}

// refusals are the codes with which a server refuses commands that are no more at fault than any
// other, and what they mean.
var refusals = map[string]outage.Kind{
	"OOM":         outage.Full,
	"MISCONF":     outage.Full, // it cannot save to its disk
	"READONLY":    outage.ReadOnly,
	"NOREPLICAS":  outage.ReadOnly,
	"LOADING":     outage.Unavailable,
	"BUSY":        outage.Unavailable, // a script runs for too long
	"MASTERDOWN":  outage.Unavailable,
	"CLUSTERDOWN": outage.Unavailable,
	"TRYAGAIN":    outage.Unavailable,
	"NOAUTH":      outage.Unavailable,
	"WRONGPASS":   outage.Unavailable,
}

// inScript matches what Redis 6.2 puts before the error of a command in a script.
var inScript = regexp.MustCompile(`^ERR Error running script \(call to \w+\): (?:@user_script: ?\d+: )+-`)

// refusal returns the code with which an error reply begins.
func refusal(reply string) string {
	word, _, _ := strings.Cut(reply[len(inScript.FindString(reply)):], " ")
	return word
}

// isUndialed reports whether no connection could be made.
func isUndialed(err error) bool {
	_, ok := errors.AsType[*dialError](err)
	return ok
}

func isSlow(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, redis.ErrPoolTimeout) || errors.As(err, &timeout) && timeout.Timeout()
}

// isBroken reports whether a connection ended.
func isBroken(err error) bool {
	var failed net.Error
	var errno syscall.Errno
	return errors.Is(err, ErrUnavailable) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.As(err, &failed) || errors.As(err, &errno)
}
