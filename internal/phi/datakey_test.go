package phi

import (
	"errors"
	"testing"
)

func TestDataKey(t *testing.T) {
	t.Parallel()
	k := newTestKeys(t)
	d, err := NewDataKey()
	if err != nil {
		t.Fatal(err)
	}
	wrapped, err := k.For("a").Wrap(d)
	if err != nil {
		t.Fatal(err)
	}
	same, err := k.For("a").Unwrap(wrapped)
	if err != nil || same.ID() != d.ID() {
		t.Fatalf("Unwrap: %v", err)
	}
	sealed, err := d.Seal([]byte(secret), []byte("key-1"))
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := same.Open(sealed, []byte("key-1")); err != nil || string(plain) != secret {
		t.Fatalf("Open: %v", err)
	}
	if _, err := same.Open(sealed, []byte("key-2")); !errors.Is(err, ErrOpen) {
		t.Errorf("under another cache key: %v", err)
	}
	if _, err := same.Open(sealed[:10], []byte("key-1")); !errors.Is(err, ErrOpen) {
		t.Errorf("truncated: %v", err)
	}
	if _, err := k.For("b").Unwrap(wrapped); !errors.Is(err, ErrOpen) {
		t.Errorf("another tenant unwrapped it: %v", err)
	}
	other, err := k.For("a").Seal([]byte("short"), "data-key")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := k.For("a").Unwrap(other); !errors.Is(err, ErrOpen) {
		t.Errorf("a key of five bytes: %v", err)
	}
}
