package access

import (
	"context"
	"errors"
	"testing"

	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/secret"
)

const (
	vic, vicsPassword = "vic", "vic looks at things"
	ann, annsPassword = "ann", "ann changes things"
)

// cheapHash is a hash of the lowest cost there is, so that a test does not take a second.
func cheapHash(t *testing.T, password string) secret.Value {
	t.Helper()
	h, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	return secret.Value(h)
}

func newAuthenticator(t *testing.T) *Authenticator {
	t.Helper()
	a, err := NewAuthenticator([]Login{
		{vic, Viewer, cheapHash(t, vicsPassword)}, {ann, Operator, cheapHash(t, annsPassword)},
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t)
	l, err := a.Authenticate(t.Context(), ann, annsPassword)
	if err != nil || l.Name != ann || !l.CanAct() {
		t.Errorf("%+v, %v", l, err)
	}
	if l, err = a.Authenticate(t.Context(), vic, vicsPassword); err != nil || l.CanAct() {
		t.Errorf("%+v, %v", l, err)
	}
	if _, err := a.Authenticate(t.Context(), vic, annsPassword); !errors.Is(err, ErrCredentials) {
		t.Errorf("another login's password: %v", err)
	}
}

func TestAttemptsAreLimited(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t)
	for range attemptBurst {
		if _, err := a.Authenticate(t.Context(), vic, "guess"); !errors.Is(err, ErrCredentials) {
			t.Fatal(err)
		}
	}
	if _, err := a.Authenticate(t.Context(), vic, vicsPassword); !errors.Is(err, ErrTooManyAttempts) {
		t.Errorf("after %d guesses: %v", attemptBurst, err)
	}
	if _, err := a.Authenticate(t.Context(), ann, annsPassword); err != nil {
		t.Errorf("another name: %v", err)
	}
	for i := range attemptBurst {
		_, _ = a.Authenticate(t.Context(), string(rune('a'+i)), "guess")
	}
	if _, err := a.Authenticate(t.Context(), "another", "guess"); !errors.Is(err, ErrTooManyAttempts) {
		t.Errorf("unknown names do not share a limit: %v", err)
	}
}

// The time that an answer takes must not show whether a name is known: an unknown name is compared
// with a hash of the same cost that matches no password.
func TestUnknownNamesCostAsMuch(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t)
	cost, err := bcrypt.Cost(a.dummyHash)
	if err != nil || cost != bcrypt.MinCost {
		t.Errorf("cost %d, %v", cost, err)
	}
	for _, password := range []string{vicsPassword, annsPassword, ""} {
		if err := bcrypt.CompareHashAndPassword(a.dummyHash, []byte(password)); !errors.Is(err, bcrypt.ErrMismatchedHashAndPassword) {
			t.Errorf("the dummy hash against %q: %v", password, err)
		}
		if _, err := a.Authenticate(t.Context(), "unknown", password); !errors.Is(err, ErrCredentials) {
			t.Errorf("an unknown name with %q: %v", password, err)
		}
	}
}

func TestAuthenticateEndsWithItsContext(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t)
	for range comparisons {
		a.slots <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.Authenticate(ctx, vic, vicsPassword); !errors.Is(err, context.Canceled) {
		t.Errorf("still waits for a slot: %v", err)
	}
}

func TestNewAuthenticatorRefusesUnusableLogins(t *testing.T) {
	t.Parallel()
	hash := cheapHash(t, vicsPassword)
	for name, l := range map[string]Login{
		"no name": {"", Viewer, hash}, "no role": {vic, "", hash}, "no hash": {vic, Viewer, "x"}, "longer hash": {vic, Viewer, hash + "x"},
	} {
		if _, err := NewAuthenticator([]Login{l}); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if _, err := NewAuthenticator(nil); err == nil {
		t.Error("an empty list of logins is accepted")
	}
}

func TestResumeEndsWithTheLogin(t *testing.T) {
	t.Parallel()
	a := newAuthenticator(t)
	l, ok := a.Find(ann)
	if !ok {
		t.Fatal("ann has no login")
	}
	if got, ok := a.Resume(ann, l.Fingerprint()); !ok || got != l {
		t.Errorf("an unchanged login: %+v, %v", got, ok)
	}
	demoted := l
	demoted.Role = Viewer
	if _, ok := a.Resume(ann, demoted.Fingerprint()); ok {
		t.Error("a session survives a changed role")
	}
	if _, ok := a.Resume("gone", l.Fingerprint()); ok {
		t.Error("a session survives its login")
	}
}
