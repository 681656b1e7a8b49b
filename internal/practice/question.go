package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Question is what the vendor was asked, and what is known about the question. Lists are filtered
// by the practice's name, and for a name that no practice has the vendor returns an empty list, as
// it does for a practice without visits.
type Question struct {
	// Name is the practice's name in the request.
	Name string
	// Confirmed is the stamp of the latest confirmation that the practice has this name and may be
	// read; 0 if there is none. An answer that lacks known visits is applied if the same answer
	// was received before this.
	Confirmed uint64
	// Recent reports that this confirmation was made shortly before the vendor was asked. Without
	// it an empty answer renews no age: the practice may have been renamed in between.
	Recent bool
	// Apart is how long before this answer the first one must have been received that it agrees
	// with. Only [Store.Counts] heeds it.
	Apart time.Duration
	// Scope is what the whole answer looks like, of which this is one day.
	Scope Scope
}

// Scope describes the whole answer that a day's answer is part of.
type Scope uint8

const (
	// ScopeSound is an answer with at least half of the visits that are known.
	ScopeSound Scope = iota
	// ScopeShrunk is an answer with less than half of the visits that are known. No day of it loses
	// a visit unproven.
	ScopeShrunk
	// ScopeEmpty is an answer without any visit. It proves nothing about days of which nothing is
	// known, and confirms days that are known to be empty only if the question is Recent.
	ScopeEmpty
	// ScopeRefused is an answer without any visit, about a practice that the vendor does not list
	// or that the login may not read. No day of it is confirmed.
	ScopeRefused
)

// doubts reports whether the answer about the day must not be applied yet, and records a digest of
// it. lost is how many known visits it lacks.
//
// An answer that lacks too much is compared with the one before it. It is applied if both are the
// same, to the same question, and the practice's identity was confirmed after the first of them was
// received: the question was then the right one. The order in which runs end, a crash between them
// and concurrent runs do not matter, because the stamp of the first answer is stored together with
// its digest, and both stamps are drawn from the tenant's clock.
func (u *dayUpdate) doubts(ctx context.Context, lost int) (bool, error) {
	was, q := &u.roster.facts, u.answer.Question
	few := (u.onDay+u.answer.unreadable())*2 < len(was.Visits)
	unknown := !u.roster.known || was.Doubt != "" && len(was.Visits) == 0
	u.unproven = q.Scope == ScopeEmpty && !q.Recent
	suspect := lost > 0 && (few || q.Scope == ScopeShrunk) || q.Scope == ScopeEmpty && unknown || q.Scope == ScopeRefused
	if !suspect {
		return false, nil
	}
	doubt, err := contentHash(u.names.sealer, struct {
		Name    string     `json:"name"`
		Refused bool       `json:"refused"` // what it lacks says nothing about later answers
		Visits  []phi.Text `json:"visits"`
	}{q.Name, q.Scope == ScopeRefused, idsOf(u.next.Visits)})
	if err != nil {
		return false, fmt.Errorf("hash roster: %w", err)
	}
	u.next.Doubt, u.next.Doubted = doubt, was.Doubted
	switch {
	case was.Doubt != doubt, q.Confirmed > was.Doubted && u.unproven: // the confirmation is too old, so this counts as the first one
	case q.Confirmed > was.Doubted:
		u.next.Doubt, u.next.Doubted = "", 0
		return false, nil
	default:
		u.result.Unconfirmed = true
		return true, nil
	}
	received, err := u.store.Begin(ctx, u.tenant)
	u.next.Doubted = received.Stamp
	return true, err
}

// unreadable counts the rows of the practice that exist although they are not shown.
func (a *Answer) unreadable() int {
	n := 0
	for code, rows := range a.SetAside {
		if code != codes.RowForeign {
			n += rows
		}
	}
	return n
}
