package monitor

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"time"

	"golang.org/x/crypto/bcrypt"
	"golang.org/x/time/rate"
)

// Role is what a person may do.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // may look
	Operator Role = "operator" // may act
)

// Login is one person who may come in.
type Login struct {
	Name string // a-z, 0-9 and '-'
	Role Role
	Hash string // bcrypt
}

// person is somebody who has come in.
type person struct {
	Name string
	Role Role
}

// CanAct reports whether the person may change something.
func (p person) CanAct() bool { return p.Role == Operator }

const (
	attemptBurst = 5
	attemptEvery = 10 * time.Second
	comparisons  = 2 // at a time: each keeps a core busy for a quarter of a second
)

// doors knows who may come in, and how often they may try.
type doors struct {
	logins map[string]Login
	bounds map[string]*rate.Limiter
	others *rate.Limiter // of all names that nobody has
	slots  chan struct{}
	nobody []byte // a hash that no password has, so that an unknown name takes as long as a known one
}

func newDoors(logins []Login) (*doors, error) {
	if len(logins) == 0 {
		return nil, errors.New("nobody may come in")
	}
	bound := func() *rate.Limiter { return rate.NewLimiter(rate.Every(attemptEvery), attemptBurst) }
	d := &doors{
		logins: map[string]Login{}, bounds: map[string]*rate.Limiter{}, others: bound(), slots: make(chan struct{}, comparisons),
	}
	for _, l := range logins {
		if _, err := bcrypt.Cost([]byte(l.Hash)); err != nil || len(l.Hash) != hashLength || l.Name == "" || l.Role != Viewer && l.Role != Operator {
			return nil, errors.New("a login has no name, an unknown role, or a hash that is not bcrypt")
		}
		d.logins[l.Name], d.bounds[l.Name] = l, bound()
		d.nobody = altered(l.Hash)
	}
	return d, nil
}

// hashLength is that of every bcrypt hash: version, cost and salt in 29 bytes, then the digest.
const hashLength = 60

// altered returns a hash that costs as much to compare with and belongs to no password that anybody knows.
func altered(hash string) []byte {
	out := []byte(hash)
	if digest := out[29:]; digest[0] == 'a' {
		digest[0] = 'b'
	} else {
		digest[0] = 'a'
	}
	return out
}

// errTooOften means that the name has been tried too often lately, errWrong that name and password do not belong together.
var (
	errTooOften = errors.New("too many attempts")
	errWrong    = errors.New("name or password is wrong")
)

// enter returns who has the name and the password. It takes as long for a name that nobody has.
func (d *doors) enter(ctx context.Context, name, password string) (person, error) {
	login, known := d.logins[name]
	bound, hash := d.others, d.nobody
	if known {
		bound, hash = d.bounds[name], []byte(login.Hash)
	}
	if !bound.Allow() {
		return person{}, errTooOften
	}
	select {
	case d.slots <- struct{}{}:
		defer func() { <-d.slots }()
	case <-ctx.Done():
		return person{}, ctx.Err()
	}
	if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil || !known {
		return person{}, errWrong
	}
	return person{Name: name, Role: login.Role}, nil
}

// lookup returns who has the name now, and false when the login is gone or is another than the mark was made of.
func (d *doors) lookup(name, mark string) (person, bool) {
	l, ok := d.logins[name]
	if !ok || d.mark(name) != mark {
		return person{}, false
	}
	return person{Name: name, Role: l.Role}, true
}

// mark is a digest of a login's line: another password or role makes another mark.
func (d *doors) mark(name string) string {
	l := d.logins[name]
	sum := sha256.Sum256([]byte(l.Name + "\n" + string(l.Role) + "\n" + l.Hash))
	return hex.EncodeToString(sum[:16])
}
