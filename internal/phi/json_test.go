package phi

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

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
