package redisconn

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestCleanKeepsTextsOut(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		in   error
		want string
	}{
		{nil, "<nil>"},
		{&net.OpError{Op: "read", Net: "tcp", Err: io.EOF}, "redis unavailable"},
		{context.Canceled, "context canceled"},
		{context.DeadlineExceeded, "redis unavailable: context deadline exceeded"},
		{redis.ErrClosed, "redis unavailable"},
		{reply("OOM command not allowed when used memory > 'maxmemory'."), "redis refused: OOM"},
		{reply("something odd about patient 7"), "redis refused: ERR"},
		{reply("ERR user_script:1: attempt to index"), "redis refused: ERR"},
	} {
		got := "<nil>"
		if err := Clean(row.in); err != nil {
			got = err.Error()
		}
		if got != row.want {
			t.Errorf("Clean(%v) = %q, want %q", row.in, got, row.want)
		}
	}
}

type reply string

func (r reply) Error() string { return string(r) }
func (reply) RedisError()     {}
