package deploytest

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// repoRoot is the path of the repository's root.
const repoRoot = "../.."

// read returns the content of a file in the repository.
func read(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(repoRoot, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// programs returns the names of the folders below cmd.
func programs(t testing.TB) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(repoRoot, "cmd"))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// user is one line of an ACL file.
type user struct {
	name, password string
	on             bool
	rules          []string
}

// users reads an ACL file such as deploy/redis/users-queue.acl.
func users(t testing.TB, name string) map[string]user {
	t.Helper()
	out := map[string]user{}
	for line := range strings.Lines(read(t, name)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "user" {
			t.Fatalf("%s has a line that is no user", name)
		}
		u := user{name: words[1], rules: words[2:], on: slices.Contains(words, "on")}
		for _, w := range u.rules {
			if p, ok := strings.CutPrefix(w, ">"); ok {
				u.password = p
			}
		}
		out[u.name] = u
	}
	return out
}

// faults are the faults of a document.
type faults []string

func (f *faults) want(ok bool, text string) {
	if !ok {
		*f = append(*f, text)
	}
}
