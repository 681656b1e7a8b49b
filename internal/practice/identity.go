package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Identity is what the vendor last stated about the number of a practice. The zero Identity states
// nothing.
type Identity struct {
	// Name is the name that the vendor lists for the number; "" if it is not known.
	Name string `json:"name,omitzero"`
	// Unconfirmed reports that the name in the last list of practices could not be read: Name is
	// the one in use.
	Unconfirmed bool `json:"unconfirmed,omitzero"`
	// Code is why the practice cannot be read: [codes.PracticeNotListed] or [codes.PracticeDenied].
	// "" means that it can, if there is a name.
	Code codes.Code `json:"code,omitzero"`
	// Authorized reports that the vendor has stated before that the login may read the practice.
	Authorized bool `json:"authorized,omitzero"`
	// Answered reports that a list of the practice had rows although the vendor stated, with the
	// same response, that the login may read no practice: it does not fill that statement.
	Answered bool `json:"answered,omitzero"`
	// Refused reports that Code comes from the refusal of a list, which the list of practices does
	// not revoke.
	Refused bool `json:"refused,omitzero"`
}

// Stated is an identity and when the vendor was asked for it.
type Stated struct {
	Identity
	Stamp uint64        // the tenant's clock before the vendor was asked; 0 if nothing is known
	Age   time.Duration // since then
}

// Confirms returns the stamp if the vendor has confirmed that the practice has this name and may be
// read, otherwise 0.
func (s Stated) Confirms(name string) uint64 {
	if s.Code != "" || s.Unconfirmed || s.Name != name {
		return 0
	}
	return s.Stamp
}

// Identity returns what the vendor last stated about the practice's number. Nothing is known after
// the loss of the cache, or while another server than before answers.
func (s *Store) Identity(ctx context.Context, t tenant.ID, practice string) (Stated, error) {
	e, err := s.cache.Peek(ctx, s.identityKey(t, practice))
	if err != nil {
		return Stated{}, fmt.Errorf("read identity: %w", err)
	}
	return stated(ctx, e), nil
}

// stated returns what the entry of an identity states.
func stated(ctx context.Context, e cache.Entry) Stated {
	identity, ok := decode[Identity](ctx, e)
	if !ok || !valid(e) {
		return Stated{}
	}
	return Stated{Identity: identity, Stamp: e.Stamp, Age: e.Age}
}

func (s *Store) identityKey(t tenant.ID, practice string) cache.Key {
	return s.scope(t, "").documentKey(identityRecord(practice))
}

// SetIdentity records what the vendor stated about the practice's number. since is from Begin,
// before the vendor was asked; a statement of a later question stays.
func (s *Store) SetIdentity(ctx context.Context, t tenant.ID, practice string, i Identity, since cache.Grant) error {
	return s.scope(t, "").fill(ctx, since, document{identityRecord(practice), i})
}

// identityRecord has no practice: what makes the documents of a practice stale must not make the
// statement stale that says why.
func identityRecord(practice string) Record {
	return Record{Noun: NounIdentity, ID: phi.Text(practice)}
}
