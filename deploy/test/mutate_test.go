package deploytest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"
)

// A typo is a document with one changed key or value.
type typo struct {
	where string
	doc   []byte // JSON, which every YAML reader accepts
}

// typos returns copies of the document, each with one key misspelled or one value changed. It
// changes nothing below the places for which skip returns true.
func typos(t testing.TB, doc string, skip func(where string) bool) []typo {
	t.Helper()
	var root any
	if err := yaml.Unmarshal([]byte(doc), &root); err != nil {
		t.Fatal(err)
	}
	var out []typo
	mutate(root, "", skip, func(where string) {
		b, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, typo{where, b})
	})
	return out
}

// mutate walks v, applies one change at a time, and calls found while the change is in place.
func mutate(v any, where string, skip func(string) bool, found func(where string)) {
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			at, value := where+"/"+key, v[key]
			if skip(at) {
				continue
			}
			delete(v, key)
			v[key+"x"] = value
			found("key " + at)
			delete(v, key+"x")
			v[key] = value
			change(value, at, skip, found, func(n any) { v[key] = n })
		}
	case []any:
		for i, value := range v {
			change(value, fmt.Sprintf("%s/%d", where, i), skip, found, func(n any) { v[i] = n })
		}
	}
}

// change replaces a plain value by another one, and walks into maps and lists.
func change(value any, at string, skip func(string) bool, found func(string), put func(any)) {
	switch v := value.(type) {
	case map[string]any, []any:
		mutate(v, at, skip, found)
	case string:
		put(v + "x")
		found("value " + at)
		put("")
		found("no value " + at)
	case bool:
		put(!v)
		found("value " + at)
	default: // a number
		put(-1)
		found("value " + at)
		put("x")
		found("type " + at)
	}
	put(value)
}

// words returns copies of the document, each with an x after one of its words: keys, values,
// anchors and their uses. It is for documents that take too long to read for the number of typos
// that typos makes.
func words(t testing.TB, doc string) []typo {
	t.Helper()
	lines := strings.SplitAfter(doc, "\n")
	var out []typo
	for _, tk := range lexer.Tokenize(doc) {
		switch tk.Type {
		case token.StringType, token.IntegerType, token.FloatType, token.BoolType, token.SingleQuoteType, token.DoubleQuoteType:
		default:
			continue
		}
		at := tk.Position.Line - 1
		line, begin := lines[at], tk.Position.Column-1
		if tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType {
			begin++
		}
		end := begin + len(tk.Value)
		if tk.Value == "" || end > len(line) || line[begin:end] != tk.Value {
			t.Fatalf("line %d: the word %q is not at the lexer's position", at+1, tk.Value)
		}
		mutated := slices.Clone(lines)
		mutated[at] = line[:end] + "x" + line[end:]
		out = append(out, typo{fmt.Sprintf("line %d: %s", at+1, tk.Value), []byte(strings.Join(mutated, ""))})
	}
	return out
}
