package phi

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
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

func TestTextMasksItselfEverywhere(t *testing.T) {
	t.Parallel()
	type person struct {
		Name Text
		Ptr  *Text
		Map  map[string]Text
	}
	n := Text(secret)
	p := person{Name: n, Ptr: &n, Map: map[string]Text{"k": n}}
	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%10s", "%T"} {
		fmt.Fprintf(&out, verb+"\n", n)
		fmt.Fprintf(&out, verb+"\n", p)
	}
	fmt.Fprintln(&out, n, map[Text]int{n: 1}, []Text{n}, fmt.Errorf("for %v", n))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "name", n, "person", p, slog.Any("list", []Text{n}))
	}
	j, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	out.Write(j)
	type element struct{ Name Text }
	x, err := xml.Marshal(element{n})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(x)
	if s := out.String(); strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
		t.Fatalf("the value is visible in:\n%s", s)
	}
	if got, want := n.String()+n.GoString(), Mask+Mask; got != want {
		t.Errorf("String and GoString return %q", got)
	}
	if n.Reveal() != secret {
		t.Error("Reveal does not return the value")
	}
}

func TestMarshalRevealsAndUnmarshalIsStrict(t *testing.T) {
	t.Parallel()
	type doc struct {
		Name Text   `json:"name"`
		N    int    `json:"n,omitzero"`
		Tags []Text `json:"tags,omitempty"`
	}
	in := doc{Name: secret, N: 3, Tags: []Text{"a"}}
	data, err := Marshal(in)
	if err != nil || !bytes.Contains(data, []byte(secret)) {
		t.Fatalf("Marshal = %s, %v", data, err)
	}
	var back doc
	if err := Unmarshal(data, &back); err != nil || back.Name != in.Name || back.N != 3 || back.Tags[0] != "a" {
		t.Fatalf("Unmarshal = %v, same name: %v", err, back.Name == in.Name)
	}
	for name, text := range map[string]string{
		"unknown member":   `{"name":"x","other":1}`,
		"case variant":     `{"NAME":"x"}`,
		"duplicate":        `{"name":"x","name":"y"}`,
		"invalid UTF-8":    "{\"name\":\"\xff\"}",
		"null":             ` null `,
		"second document":  `{"name":"x"}{}`,
		"trailing garbage": `{"name":"x"}x`,
		"empty":            ``,
		"wrong type":       `{"name":1}`,
		"too deep":         strings.Repeat("[", 20_000),
	} {
		if err := Unmarshal([]byte(text), new(doc)); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v, want ErrMalformed", name, err)
		} else if strings.Contains(err.Error(), "name") {
			t.Errorf("%s: the error quotes the document: %v", name, err)
		}
	}
	if err := Unmarshal(make([]byte, MaxDocument+1), new(doc)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an oversized document: %v", err)
	}
	if _, err := Marshal(strings.Repeat("x", MaxDocument)); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an oversized value: %v", err)
	}
	if _, err := Marshal(make(chan int)); !errors.Is(err, ErrMalformed) {
		t.Errorf("a channel: %v", err)
	}
}

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

func FuzzUnmarshal(f *testing.F) {
	type doc struct {
		A string         `json:"a"`
		B map[string]int `json:"b,omitempty"`
		C Text           `json:"c"`
	}
	f.Add([]byte(`{"a":"x","b":{"k":1},"c":"y"}`))
	f.Add([]byte(`{"A":"x"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var d doc
		if Unmarshal(data, &d) != nil {
			return
		}
		once, err := Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		var back doc
		if err := Unmarshal(once, &back); err != nil {
			t.Fatalf("Unmarshal rejects the output of Marshal: %v", err)
		}
		if twice, _ := Marshal(back); !bytes.Equal(once, twice) {
			t.Fatal("the same value has two encodings")
		}
	})
}
