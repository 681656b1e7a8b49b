package phi

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestSealIsBoundToTenantAndAssociatedData(t *testing.T) {
	t.Parallel()
	k := newTestKeys(t)
	s := k.For("clinic-a")
	sealed, err := s.Seal([]byte(secret), "patient.sync", "id-1")
	if err != nil || bytes.Contains(sealed, []byte(secret)) || len(sealed) != len(secret)+33 {
		t.Fatalf("Seal returned %d bytes, %v", len(sealed), err)
	}
	if plain, err := s.Open(sealed, "patient.sync", "id-1"); err != nil || string(plain) != secret {
		t.Fatalf("Open = %v", err)
	}
	refused := map[string]func() ([]byte, error){
		"other tenant":    func() ([]byte, error) { return k.For("clinic-b").Open(sealed, "patient.sync", "id-1") },
		"other kind":      func() ([]byte, error) { return s.Open(sealed, "patient.synx", "id-1") },
		"parts shifted":   func() ([]byte, error) { return s.Open(sealed, "patient.synci", "d-1") },
		"parts joined":    func() ([]byte, error) { return s.Open(sealed, "patient.syncid-1") },
		"other keyset":    func() ([]byte, error) { return newTestKeys(t).For("clinic-a").Open(sealed, "patient.sync", "id-1") },
		"truncated":       func() ([]byte, error) { return s.Open(sealed[:len(sealed)-1], "patient.sync", "id-1") },
		"empty":           func() ([]byte, error) { return s.Open(nil, "patient.sync", "id-1") },
		"plain JSON":      func() ([]byte, error) { return s.Open([]byte(`{"patient":"1"}`), "patient.sync", "id-1") },
		"unknown format":  func() ([]byte, error) { return s.Open(append([]byte{9}, sealed[1:]...), "patient.sync", "id-1") },
		"a bit flipped":   func() ([]byte, error) { return s.Open(flip(sealed, len(sealed)-1), "patient.sync", "id-1") },
		"nonce changed":   func() ([]byte, error) { return s.Open(flip(sealed, 6), "patient.sync", "id-1") },
		"key id changed":  func() ([]byte, error) { return s.Open(flip(sealed, 2), "patient.sync", "id-1") },
		"only the key id": func() ([]byte, error) { return s.Open(sealed[:5], "patient.sync", "id-1") },
	}
	for name, open := range refused {
		if plain, err := open(); !errors.Is(err, ErrOpen) || plain != nil {
			t.Errorf("%s: opened (%v)", name, err)
		}
	}
}

func flip(b []byte, i int) []byte {
	out := bytes.Clone(b)
	out[i] ^= 1
	return out
}

func TestRef(t *testing.T) {
	t.Parallel()
	k := newTestKeys(t)
	r := k.For("a").Ref("patient", "1001")
	if len(r) != 26 || strings.Contains(string(r), "1001") {
		t.Fatalf("Ref = %q", r)
	}
	if r != k.For("a").Ref("patient", "1001") {
		t.Error("the same identifier has another ref")
	}
	seen := map[Ref]string{r: "itself"}
	for name, o := range map[string]Ref{
		"other id": k.For("a").Ref("patient", "1002"), "other noun": k.For("a").Ref("provider", "1001"),
		"other tenant": k.For("b").Ref("patient", "1001"), "shifted": k.For("a").Ref("patient1", "001"),
		"other keyset": newTestKeys(t).For("a").Ref("patient", "1001"),
	} {
		if was, ok := seen[o]; ok {
			t.Errorf("%s equals %s", name, was)
		}
		seen[o] = name
	}
	if _, ok := r.Bytes(); !ok {
		t.Error("Bytes rejects a Ref")
	}
	for _, bad := range []Ref{"", "short", Ref(strings.Repeat("A", 26)), r + "a"} {
		if _, ok := bad.Bytes(); ok {
			t.Errorf("Bytes accepts %q", bad)
		}
	}
}

func FuzzOpen(f *testing.F) {
	k := newTestKeys(f)
	s := k.For("a")
	sealed, err := s.Seal([]byte(secret), "ad")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Add([]byte{1, 0, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		if plain, err := s.Open(data, "ad"); err == nil && !bytes.Equal(data, sealed) {
			t.Fatalf("forged bytes opened to %d bytes", len(plain))
		}
	})
}
