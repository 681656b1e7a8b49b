package cli

import (
	"strings"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

func TestLoginNew(t *testing.T) {
	t.Parallel()
	o := rounds(t, nil, "login", "new", "ann", "--role", "operator", "--json")
	line := document[struct{ Line string }](t, o.stdout).Line
	fields := strings.Fields(line)
	if o.code != exitOK || len(fields) != 3 || fields[0] != "ann" || fields[1] != "operator" {
		t.Fatalf("%+v", o)
	}
	_, rest, _ := strings.Cut(o.stderr, "The password of ann is ")
	password, _, _ := strings.Cut(rest, ".")
	if err := bcrypt.CompareHashAndPassword([]byte(fields[2]), []byte(password)); err != nil {
		t.Errorf("the printed password %q does not match %q", password, line)
	}
	if again := rounds(t, nil, "login", "new", "ann"); strings.Contains(again.stderr, password) || !strings.HasPrefix(again.stdout, "ann viewer ") {
		t.Errorf("a second login: %+v", again)
	}
}

func TestLoginNewFromStdin(t *testing.T) {
	t.Parallel()
	const password = "a passphrase of her own"
	o := roundsWith(t, nil, password+"\r\nand more\n", "login", "new", "ann", "--password-stdin")
	fields := strings.Fields(o.stdout)
	if o.code != exitOK || len(fields) != 3 || bcrypt.CompareHashAndPassword([]byte(fields[2]), []byte(password)) != nil || o.stderr != "" {
		t.Errorf("%+v", o)
	}
}

func TestLoginNewRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		stdin string
		args  []string
	}{
		"short":        {"short", []string{"ann", "--password-stdin"}},
		"long":         {strings.Repeat("x", 73), []string{"ann", "--password-stdin"}},
		"no password":  {"", []string{"ann", "--password-stdin"}},
		"unknown role": {"", []string{"ann", "--role", "root"}},
		"bad name":     {"", []string{"Ann Smith"}},
		"no name":      {"", nil},
	} {
		if o := roundsWith(t, nil, c.stdin, append([]string{"login", "new"}, c.args...)...); o.code != exitUsage || o.stdout != "" ||
			c.stdin != "" && strings.Contains(o.stderr, c.stdin) {
			t.Errorf("%s: %+v", name, o)
		}
	}
}
