package cli

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestKeysNew(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rounds.keys")
	o := rounds(t, nil, "keys", "new", path, "--json")
	doc := document[struct{ File, Key string }](t, o.stdout)
	if o.code != exitOK || doc.File != path {
		t.Fatalf("%+v", o)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v; want 0600", info.Mode(), err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := phi.Parse(data)
	if err != nil || keys.ID() != doc.Key {
		t.Fatalf("the file does not hold key %s: %v", doc.Key, err)
	}
}

func TestKeysNewKeepsExistingFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "rounds.keys")
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o := rounds(t, nil, "keys", "new", path); o.code != exitConflict {
		t.Errorf("%+v", o)
	}
	if data, _ := os.ReadFile(path); string(data) != "precious" {
		t.Errorf("the file became %q", data)
	}
}
