// Package override carries out operators' decisions about breakers, for commands and for the
// operators' pages. A decision is recorded in the ledger before it takes effect, so that none
// remains unrecorded.
package override

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/breaker"
	"github.com/workflow-bolt/rounds/internal/ledger"
)

// Verb is what a decision does with a breaker.
type Verb string

// The verbs.
const (
	Open    Verb = "open"    // no call passes until the decision ends; then a probe is due
	Close   Verb = "close"   // every call passes until the decision ends, whatever fails
	Release Verb = "release" // ends a decision
)

// Limits of how long a decision lasts.
const (
	Default  = 15 * time.Minute
	Shortest = time.Minute
	Longest  = breaker.MaxForced
)

// ErrInvalid means that a decision has an unknown verb, no author, no usable reason, or a duration
// out of range.
var ErrInvalid = errors.New("a decision is open, close or release, for 1 minute to 24 hours, with an author and a reason")

// ErrNone means that there is no decision to release.
var ErrNone = errors.New("no decision holds for this breaker")

// Decision is an operator's decision about a breaker.
type Decision struct {
	Breaker breaker.Name // one that exists: the caller has checked tenant and scope
	Verb    Verb
	By      string        // the operator's name
	Reason  string        // as ledger.ParseReason accepts it
	For     time.Duration // how long it lasts; not used by Release
}

// Apply records a decision and carries it out. It returns the breaker's state.
func Apply(ctx context.Context, l *ledger.Ledger, rdb redis.UniversalClient, d Decision) (breaker.State, error) {
	reason, err := ledger.ParseReason(d.Reason)
	if err != nil || d.By == "" || d.Verb != Release && (d.For < Shortest || d.For > Longest) {
		return breaker.State{}, ErrInvalid
	}
	now := time.Now()
	a := ledger.Action{
		At: now, Operator: d.By, Action: "breaker." + string(d.Verb), Tenant: d.Breaker.Tenant, Subject: d.Breaker.Scope, Reason: reason,
	}
	apply := func() error {
		_, err := d.Breaker.Force(ctx, rdb, breaker.Forced{Open: d.Verb == Open, Until: a.Until, By: d.By, Why: reason})
		return err
	}
	switch d.Verb {
	case Open, Close:
		a.Until = now.Add(d.For)
	case Release:
		s, err := inspect(ctx, rdb, d.Breaker)
		if err == nil && s.Forced == nil {
			err = ErrNone
		}
		if err != nil {
			return s, err
		}
		apply = func() error { _, err := d.Breaker.Release(ctx, rdb); return err }
	default:
		return breaker.State{}, ErrInvalid
	}
	if err := l.RecordAction(ctx, a); err != nil {
		return breaker.State{}, fmt.Errorf("nothing was changed: %w", err)
	}
	if err := apply(); err != nil {
		return breaker.State{}, fmt.Errorf("recorded, but not carried out: %w", err)
	}
	return inspect(ctx, rdb, d.Breaker)
}

// inspect reads one breaker. Ramps do not matter here.
func inspect(ctx context.Context, rdb redis.UniversalClient, n breaker.Name) (breaker.State, error) {
	found, err := breaker.Inspect(ctx, rdb, 0, n)
	if err != nil {
		return breaker.State{}, err
	}
	return found[0], nil
}
