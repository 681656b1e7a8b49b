package practice

import (
	"context"
	"fmt"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Counts reports whether the answer to a question about one of the practice's lists counts: those
// of providers (NounDirectory), places (NounLocations) and changed patients (NounPatients); and
// with no practice the account's practices (NounPractices). A sound answer counts. One that is
// empty or lacks too much counts if there was such an answer to the same question before, and the
// practice's identity was confirmed after that one was received; if it is empty, also shortly
// before the request for this one.
//
// first reports that an answer that does not count is the first one, so that another one is needed
// besides the confirmation.
func (s *Store) Counts(ctx context.Context, t tenant.ID, practice string, list Noun, q Question) (counts, first bool, err error) {
	sc := s.scope(t, "")
	record := Record{Noun: NounDoubt, ID: phi.Text(practice + " " + string(list))}
	e, err := s.cache.Peek(ctx, sc.documentKey(record))
	if err != nil {
		return false, false, fmt.Errorf("read doubt: %w", err)
	}
	was, ok := decode[listDoubt](ctx, e)
	doubted := ok && valid(e) && was.Name != ""
	again := doubted && was.Name == q.Name
	switch sound := q.Scope == ScopeSound; {
	case sound && !doubted:
		return true, false, nil
	case !sound && again && (q.Confirmed <= e.Stamp || e.Age < q.Apart):
		return false, false, nil
	}
	// A list that counts leaves no doubt; one that does not is remembered together with the time
	// after it was received.
	counts = q.Scope == ScopeSound || again && (q.Recent || q.Scope == ScopeShrunk)
	next := listDoubt{Name: q.Name}
	if counts {
		next = listDoubt{}
	}
	received, err := s.Begin(ctx, t)
	if err != nil {
		return false, false, err
	}
	return counts, !counts, sc.fill(ctx, received, document{record, next})
}

// listDoubt records that the answer to a question lacked too much; without a name there is no
// doubt. Its age is that of the answer.
type listDoubt struct {
	Name string `json:"name,omitzero"`
}

// Practices returns the practices that the vendor lists for the account, as they were last read;
// none if that is not known.
func (s *Store) Practices(ctx context.Context, t tenant.ID) (Practices, error) {
	e, err := s.cache.Peek(ctx, s.scope(t, "").documentKey(Record{Noun: NounPractices}))
	if err != nil {
		return Practices{}, fmt.Errorf("read practices: %w", err)
	}
	list, _ := decode[Practices](ctx, e)
	return list, nil
}
