package phi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
)

const secret = "Zyx Canary-Person"

func newTestKeys(t testing.TB) *Keys {
	t.Helper()
	k, err := Generate()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestKeysetRoundTripAndRotation(t *testing.T) {
	t.Parallel()
	old := newTestKeys(t)
	sealed, err := old.For("a").Seal([]byte("x"), "ad")
	if err != nil {
		t.Fatal(err)
	}
	file, err := old.JSON()
	if err != nil {
		t.Fatal(err)
	}
	rotated, err := Parse(addPrimary(t, file))
	if err != nil {
		t.Fatal(err)
	}
	if rotated.ID() == old.ID() {
		t.Fatal("the primary key did not change")
	}
	if _, err := rotated.For("a").Open(sealed, "ad"); err != nil {
		t.Errorf("bytes sealed before the rotation: %v", err)
	}
	if got, want := rotated.For("a").Ref("patient", "1"), old.For("a").Ref("patient", "1"); got != want {
		t.Error("a rotation changed a ref")
	}
	again, err := rotated.For("a").Seal([]byte("x"), "ad")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := old.For("a").Open(again, "ad"); !errors.Is(err, ErrOpen) {
		t.Errorf("the old keyset opened bytes of the new key: %v", err)
	}
}

// addPrimary adds a new key to a keyset file and makes it primary, as tinkey does.
func addPrimary(t *testing.T, file []byte) []byte {
	t.Helper()
	type set struct {
		Primary uint32            `json:"primaryKeyId"`
		Key     []json.RawMessage `json:"key"`
	}
	fresh, err := newTestKeys(t).JSON()
	if err != nil {
		t.Fatal(err)
	}
	var a, b set
	if err := errors.Join(json.Unmarshal(file, &a), json.Unmarshal(fresh, &b)); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(set{Primary: b.Primary, Key: append(a.Key, b.Key...)})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestParseRejectsOtherFiles(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"nothing": nil, "text": []byte("hunter2"), "empty set": []byte(`{"primaryKeyId":1,"key":[]}`),
		"huge": bytes.Repeat([]byte("x"), maxKeyset+1),
	} {
		if _, err := Parse(data); !errors.Is(err, ErrKeyset) {
			t.Errorf("%s: %v, want ErrKeyset", name, err)
		} else if strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error quotes the file", name)
		}
	}
}

func TestSealersAreBounded(t *testing.T) {
	t.Parallel()
	k := newTestKeys(t)
	first := k.For("a").Ref("x", "1")
	for i := range maxSealers + 10 {
		k.sealers[fmt.Sprint(i)] = nil
		if len(k.sealers) >= maxSealers {
			break
		}
	}
	if k.For("fresh"); len(k.sealers) > maxSealers {
		t.Errorf("%d sealers are kept", len(k.sealers))
	}
	if k.For("a").Ref("x", "1") != first {
		t.Error("a derived key changed when it was derived again")
	}
}
