package config

import (
	"errors"
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// Login is one person who may open the operators' pages.
type Login struct {
	Name string // spelt as tenant IDs are; it stands in the log beside what the person does
	Role Role
	Hash secret.Value // bcrypt
}

// Role is what a person may do on the operators' pages.
type Role string

// The roles.
const (
	Viewer   Role = "viewer"   // may look
	Operator Role = "operator" // may also pause, run, archive and delete
)

const (
	loginCost   = 12 // a quarter of a second for each guess
	leastCost   = 10
	highestCost = 15 // above it, checking one password keeps a server busy for seconds
	maxLogins   = 200
	maxPassword = 72 // bytes: bcrypt takes no more

	// MinPassword is the shortest password that NewLogin takes, in bytes.
	MinPassword = 12
)

// ErrLogin says what of a new login is not acceptable; it never holds the password.
var ErrLogin = errors.New("config: login")

// NewLogin returns a login with the password's hash, or ErrLogin.
func NewLogin(name string, role Role, password string) (Login, error) {
	switch {
	case !validID(name):
		return Login{}, fmt.Errorf("%w: a name is 1 to 40 of a-z, 0-9 and '-', a letter or digit first", ErrLogin)
	case role != Viewer && role != Operator:
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

// Line returns the login as it stands in the password file.
func (l Login) Line() string { return l.Name + " " + string(l.Role) + " " + l.Hash.Reveal() }

// maxLoginFile is far above maxLogins lines.
const maxLoginFile = 64 << 10

// logins reads the file of those who may open the operators' pages.
func (l *loader) logins() []Login {
	const name = "ROUNDS_MONITOR_PASSWORD_FILE"
	if l.vars.PasswordFile == "" {
		l.problems.add(name, "is not set", `set it to a file of lines "name role hash", as rounds login new writes them`)
		return nil
	}
	data, wrong, fix := readFile(l.vars.PasswordFile, maxLoginFile, l.mode == Production)
	if wrong != "" {
		l.problems.add(name, wrong, fix)
		return nil
	}
	logins, faults := parseLogins(data)
	for _, f := range faults {
		l.problems.add(name, f, `write it as "name role hash", as rounds login new does`)
	}
	if len(faults) == 0 && len(logins) == 0 {
		l.problems.add(name, "names a file without a login", "add what rounds login new writes")
	}
	return logins
}

// parseLogins reads one login per line; empty lines and those that begin with '#' are for people. Faults name the line
// and repeat nothing of it.
func parseLogins(data string) (logins []Login, faults []string) {
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(data) {
		n++
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		login, wrong := parseLogin(fields)
		switch {
		case wrong == "" && seen[login.Name]:
			wrong = "repeats a name"
		case wrong == "" && len(logins) == maxLogins:
			return nil, append(faults, fmt.Sprintf("has more than %d logins", maxLogins))
		}
		if wrong != "" {
			faults = append(faults, fmt.Sprintf("line %d %s", n, wrong))
			continue
		}
		seen[login.Name] = true
		logins = append(logins, login)
	}
	return logins, faults
}

func parseLogin(fields []string) (_ Login, wrong string) {
	if len(fields) != 3 {
		return Login{}, "has not three fields"
	}
	l := Login{Name: fields[0], Role: Role(fields[1]), Hash: secret.Value(fields[2])}
	cost, err := bcrypt.Cost([]byte(fields[2]))
	switch {
	case !validID(l.Name):
		return Login{}, "has a name that is not 1 to 40 of a-z, 0-9 and '-', a letter or digit first"
	case l.Role != Viewer && l.Role != Operator:
		return Login{}, "has a role that is neither viewer nor operator"
	case err != nil || len(fields[2]) != 60:
		return Login{}, "has a hash that is not bcrypt"
	case cost < leastCost || cost > highestCost:
		return Login{}, fmt.Sprintf("has a hash whose cost is not %d to %d", leastCost, highestCost)
	}
	return l, ""
}
