// Package outage describes outages of the program's own stores: the queue's Redis, the cache's
// Redis and the ledger. The package of each store recognizes outages among the errors of its
// driver, and returns them as an [Error]. The router of tasks then postpones the task, which is not
// at fault. A [Watch] follows whether one store is unavailable.
package outage

import (
	"errors"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Store is one of the program's own stores.
type Store int

// The stores.
const (
	Queue Store = iota
	Cache
	Ledger
)

// String returns the name of the store in logs.
func (s Store) String() string { return [...]string{"queue", "cache", "ledger"}[s] }

// Kind is what a store that is unavailable does not do.
type Kind int

// The kinds.
const (
	// Unavailable means that the store is unreachable, or does not answer.
	Unavailable Kind = iota
	// Full means that it has no room for what was written.
	Full
	// ReadOnly means that it accepts no writes at the moment.
	ReadOnly
)

// names are the codes by store and kind.
var names = [...][3]codes.Code{
	Queue:  {codes.QueueUnavailable, codes.QueueFull, codes.QueueReadOnly},
	Cache:  {codes.CacheUnavailable, codes.CacheFull, codes.CacheReadOnly},
	Ledger: {codes.LedgerUnavailable, codes.LedgerFull, codes.LedgerReadOnly},
}

// Error is an error that a store returned because it is unavailable. Its text is that of the error
// that it wraps.
type Error struct {
	Store Store
	Kind  Kind
	// Slow reports that a time limit ended the call. If it was the caller's, the caller may have
	// used it up otherwise.
	Slow bool

	err error
}

// New returns an Error that wraps err.
func New(s Store, k Kind, slow bool, err error) *Error {
	return &Error{Store: s, Kind: k, Slow: slow, err: err}
}

// Error returns the text of the wrapped error.
func (e *Error) Error() string { return e.err.Error() }

// Unwrap returns the wrapped error.
func (e *Error) Unwrap() error { return e.err }

// Code returns the code of the store and the kind.
func (e *Error) Code() codes.Code { return names[e.Store][e.Kind] }

// ErrorCode returns the text of Code.
func (e *Error) ErrorCode() string { return string(e.Code()) }

// Of returns the first Error in the tree of err, or nil.
func Of(err error) *Error {
	e, _ := errors.AsType[*Error](err)
	return e
}

// StoreOf returns the store of which a code says that it is unavailable. Flow control uses the
// queue's Redis.
func StoreOf(c codes.Code) (Store, bool) {
	s, _, ok := find(c)
	return s, ok
}

func find(c codes.Code) (Store, Kind, bool) {
	if c == codes.Redis {
		return Queue, Unavailable, true
	}
	for s, ofStore := range names {
		for k, name := range ofStore {
			if name == c {
				return Store(s), Kind(k), true
			}
		}
	}
	return 0, 0, false
}
