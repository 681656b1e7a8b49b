package tebra

import (
	"context"
	"encoding/xml"
	"errors"
	"slices"
	"sync"
)

// maxWorked is the size of the largest request that is remembered, in bytes.
const maxWorked = 64 << 10

// lastWorked remembers the last request of each idempotent operation that succeeded. Requests
// contain the credentials, as the Client does; they stay in its memory. The zero value is ready.
type lastWorked struct {
	mu       sync.Mutex
	requests map[string][]byte // by operation
}

func (l *lastWorked) remember(op *Operation, request []byte) {
	if !op.Idempotent || op.Class == Write || len(request) > maxWorked {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.requests == nil {
		l.requests = map[string][]byte{}
	}
	l.requests[op.Name] = request
}

func (l *lastWorked) request(operation string) []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.requests[operation]
}

// ErrNothingToRepeat is returned by Repeat if no call of the operation has succeeded.
var ErrNothingToRepeat = errors.New("no call of the operation has succeeded yet")

// Repeat repeats the last call of an idempotent operation that succeeded, and discards the
// response. It shows whether the vendor answers what it has answered before. GetThrottles, which
// asks for nothing but the account, needs no call before it. The error is that of the call, or
// ErrNothingToRepeat.
func (c *Client) Repeat(ctx context.Context, operation string) error {
	i := slices.IndexFunc(operations, func(op *Operation) bool { return op.Name == operation })
	if i < 0 {
		return ErrNothingToRepeat
	}
	op := operations[i]
	request := c.worked.request(operation)
	if request == nil && op == &opGetThrottles {
		_, err := c.System.Throttles(ctx)
		return err
	}
	if request == nil {
		return ErrNothingToRepeat
	}
	return c.send(ctx, op, request, responseHandler{readMember: func(r *reader, _ xml.Name) error { r.found++; return nil }})
}
