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

// A typo is one slip of the pen in a document: a key or a value that is not what it was.
type typo struct {
	where string
	doc   []byte // JSON, which every reader of YAML takes
}

// typos returns the document with each of its keys misspelt, one at a time, and with each of its values changed. Below
// skip nothing is changed.
func typos(t testing.TB, doc string, skip func(where string) bool) []typo {
	t.Helper()
	var root any
	if err := yaml.Unmarshal([]byte(doc), &root); err != nil {
		t.Fatal(err)
	}
	var out []typo
	slip(root, "", skip, func(where string) {
		b, err := json.Marshal(root)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, typo{where, b})
	})
	return out
}

// slip walks v and calls found while v holds a slip, once for each.
func slip(v any, where string, skip func(string) bool, found func(where string)) {
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

// change puts another value in the place of a plain one, and walks into the others.
func change(value any, at string, skip func(string) bool, found func(string), put func(any)) {
	switch v := value.(type) {
	case map[string]any, []any:
		slip(v, at, skip, found)
	case string:
		put(v + "x")
		found("value " + at)
		put("")
		found("no value " + at)
	case bool:
		put(!v)
		found("value " + at)
	default: // a number of some kind
		put(-1)
		found("value " + at)
		put("x")
		found("type " + at)
	}
	put(value)
}

// words returns the document with an x behind each of its words, one at a time: keys, values, anchors and their uses.
// For documents of which a reader needs too long to be read for every typo that the tree of values allows.
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
			t.Fatalf("line %d: the word %q is not where the lexer says", at+1, tk.Value)
		}
		slipped := slices.Clone(lines)
		slipped[at] = line[:end] + "x" + line[end:]
		out = append(out, typo{fmt.Sprintf("line %d: %s", at+1, tk.Value), []byte(strings.Join(slipped, ""))})
	}
	return out
}
