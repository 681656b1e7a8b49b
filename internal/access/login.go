package access

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// Role is what an operator may do on the monitor's pages.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // may look
	Operator Role = "operator" // may also pause, run, archive and delete
)

func (r Role) valid() bool { return r == Viewer || r == Operator }

// Login is one person who may open the operators' pages.
type Login struct {
	Name string // follows the rule for tenant IDs; logged beside what the person does
	Role Role
	Hash secret.Value // bcrypt
}

// CanAct reports whether the login's role allows changes.
func (l Login) CanAct() bool { return l.Role == Operator }

const (
	loginCost   = 12 // a quarter of a second for each guess
	minCost     = 10
	maxCost     = 15 // above it, checking one password keeps a server busy for seconds
	hashLength  = 60 // of every bcrypt hash: version, cost and salt in 29 bytes, then the digest
	maxLogins   = 200
	maxPassword = 72 // bytes: bcrypt takes no more

	// MinPassword is the length of the shortest password that NewLogin accepts, in bytes.
	MinPassword = 12
)

// ErrLogin is returned for a new login with an invalid name, role or password. Its text never holds
// the password.
var ErrLogin = errors.New("login")

// NewLogin returns a login with the password's hash, or ErrLogin.
func NewLogin(name string, role Role, password string) (Login, error) {
	switch {
	case !validName(name):
		return Login{}, fmt.Errorf("%w: a name is 1 to 40 of a-z, 0-9 and '-', a letter or digit first", ErrLogin)
	case !role.valid():
		return Login{}, fmt.Errorf("%w: the role is %s or %s", ErrLogin, Viewer, Operator)
	case len(password) < MinPassword || len(password) > maxPassword:
		return Login{}, fmt.Errorf("%w: a password has %d to %d bytes", ErrLogin, MinPassword, maxPassword)
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), loginCost)
	if err != nil {
		return Login{}, fmt.Errorf("%w: the password cannot be hashed", ErrLogin)
	}
	return Login{Name: name, Role: role, Hash: secret.Value(hash)}, nil
}

// Line returns the login's line for the file.
func (l Login) Line() string { return l.Name + " " + string(l.Role) + " " + l.Hash.Reveal() }

// Fingerprint returns a digest of the login. Another password or role gives another fingerprint, so
// that a session that stores it ends when its login changes.
func (l Login) Fingerprint() string {
	sum := sha256.Sum256([]byte(l.Name + "\n" + string(l.Role) + "\n" + l.Hash.Reveal()))
	return hex.EncodeToString(sum[:16])
}

const loginFix = `write it as "name role hash", as rounds login new does`

// ParseLogins parses a login file. It returns either the logins, at least one, or the faults.
func ParseLogins(text string) ([]Login, []Fault) {
	var logins []Login
	var faults []Fault
	seen := map[string]bool{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		login, wrong := parseLogin(fields)
		switch {
		case wrong == "" && seen[login.Name]:
			wrong = "repeats a name"
		case wrong == "" && len(logins) == maxLogins:
			return nil, append(faults, Fault{fmt.Sprintf("has more than %d logins", maxLogins), loginFix})
		}
		if wrong != "" {
			faults = append(faults, Fault{fmt.Sprintf("line %d %s", number, wrong), loginFix})
			if len(faults) == maxFaults {
				break
			}
			continue
		}
		seen[login.Name] = true
		logins = append(logins, login)
	}
	if len(logins) == 0 && len(faults) == 0 {
		faults = append(faults, Fault{"names a file without a login", "add what rounds login new writes"})
	}
	if len(faults) > 0 {
		return nil, faults
	}
	return logins, nil
}

func parseLogin(fields []string) (_ Login, wrong string) {
	if len(fields) != 3 {
		return Login{}, "has not three fields"
	}
	l := Login{Name: fields[0], Role: Role(fields[1]), Hash: secret.Value(fields[2])}
	cost, err := bcrypt.Cost([]byte(fields[2]))
	switch {
	case !validName(l.Name):
		return Login{}, "has a name that is not 1 to 40 of a-z, 0-9 and '-', a letter or digit first"
	case !l.Role.valid():
		return Login{}, "has a role that is neither viewer nor operator"
	case err != nil || len(fields[2]) != hashLength:
		return Login{}, "has a hash that is not bcrypt"
	case cost < minCost || cost > maxCost:
		return Login{}, fmt.Sprintf("has a hash whose cost is not %d to %d", minCost, maxCost)
	}
	return l, ""
}
