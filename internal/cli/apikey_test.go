package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/access"
)

func TestAPIKeyNew(t *testing.T) {
	t.Parallel()
	o := rounds(t, nil, "apikey", "new", "desk", "--tenant", "clinic-a", "--json")
	line := document[struct{ Line string }](t, o.stdout).Line
	keys, problems := access.ParseKeys(line)
	if o.code != exitOK || len(problems) > 0 || keys[0].Name != "desk" || keys[0].Tenant != "clinic-a" {
		t.Fatalf("%+v", o)
	}
	_, rest, _ := strings.Cut(o.stderr, "The key of desk is ")
	key, _, _ := strings.Cut(rest, ".")
	if sum := sha256.Sum256([]byte(key)); sum != keys[0].Digest {
		t.Errorf("the printed key %q has the hash %s, the line is %q", key, hex.EncodeToString(sum[:]), line)
	}
	if again := rounds(t, nil, "apikey", "new", "desk", "--tenant", "clinic-a"); strings.Contains(again.stderr, key) {
		t.Errorf("the same key was created twice: %+v", again)
	}
	for _, args := range [][]string{{"desk"}, {"--tenant", "clinic-a"}, {"A Desk", "--tenant", "clinic-a"}, {"desk", "--tenant", "Clinic A"}} {
		if o := rounds(t, nil, append([]string{"apikey", "new"}, args...)...); o.code != exitUsage || o.stdout != "" {
			t.Errorf("%q: %+v", args, o)
		}
	}
}
