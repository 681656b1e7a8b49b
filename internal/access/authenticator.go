package access

import (
	"context"
	"errors"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

// AttemptInterval is the average time between two attempts to log in with one name, after a burst
// of five.
const AttemptInterval = 10 * time.Second

const (
	attemptBurst = 5
	comparisons  = 2 // at a time: each keeps a core busy for a quarter of a second
)

var (
	// ErrTooManyAttempts is returned when a name has been tried too often lately.
	ErrTooManyAttempts = errors.New("too many attempts")
	// ErrCredentials is returned when name and password do not belong together.
	ErrCredentials = errors.New("name or password is wrong")
)

// Authenticator checks names and passwords of operators and limits how often they are tried. It is
// safe for concurrent use.
type Authenticator struct {
	logins    map[string]Login
	limits    map[string]*rate.Limiter
	unknown   *rate.Limiter // shared by all names without a login, so that guessing names is not free
	slots     chan struct{}
	dummyHash []byte // matches no known password; compared for unknown names, so that they take as long
}

// NewAuthenticator returns an Authenticator for the logins, of which there must be at least one.
func NewAuthenticator(logins []Login) (*Authenticator, error) {
	if len(logins) == 0 {
		return nil, errors.New("there is no login")
	}
	limit := func() *rate.Limiter { return rate.NewLimiter(rate.Every(AttemptInterval), attemptBurst) }
	a := &Authenticator{
		logins: map[string]Login{}, limits: map[string]*rate.Limiter{}, unknown: limit(), slots: make(chan struct{}, comparisons),
	}
	for _, l := range logins {
		hash := l.Hash.Reveal()
		if _, err := bcrypt.Cost([]byte(hash)); err != nil || len(hash) != hashLength || l.Name == "" || !l.Role.valid() {
			return nil, errors.New("a login has no name, an unknown role, or a hash that is not bcrypt")
		}
		a.logins[l.Name], a.limits[l.Name] = l, limit()
		a.dummyHash = altered(hash)
	}
	return a, nil
}

// altered returns a hash with the cost of the given one and a digest that no known password has.
func altered(hash string) []byte {
	out := []byte(hash)
	if digest := out[29:]; digest[0] == 'a' {
		digest[0] = 'b'
	} else {
		digest[0] = 'a'
	}
	return out
}

// Authenticate returns the login with the name and the password, or ErrTooManyAttempts,
// ErrCredentials or ctx's error. It takes as long for a name without a login.
func (a *Authenticator) Authenticate(ctx context.Context, name, password string) (Login, error) {
	login, known := a.logins[name]
	limit, hash := a.unknown, a.dummyHash
	if known {
		limit, hash = a.limits[name], []byte(login.Hash.Reveal())
	}
	if !limit.Allow() {
		return Login{}, ErrTooManyAttempts
	}
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return Login{}, ctx.Err()
	}
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil || !known {
		return Login{}, ErrCredentials
	}
	return login, nil
}

// Find returns the login with the name, if there is one.
func (a *Authenticator) Find(name string) (Login, bool) {
	l, ok := a.logins[name]
	return l, ok
}

// Resume returns the login of a session that began when the login had the fingerprint. It returns
// false when the login is gone or has changed.
func (a *Authenticator) Resume(name, fingerprint string) (Login, bool) {
	l, ok := a.logins[name]
	if !ok || l.Fingerprint() != fingerprint {
		return Login{}, false
	}
	return l, true
}
