package telemetry

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

const someRef = "abcdefghijklmnopqrstuvwxyz"

// textConstructors holds every constructor that takes a text, by its key.
var textConstructors = map[string]func(string) Attr{
	"tenant": Tenant, "kind": Kind, "lane": Lane, "task": Task,
	"operation": Operation, "code": Code, "outcome": Outcome, "reason": Reason,
	"class": Class, "state": State, "view": View, "route": Route, "caller": Caller,
}

func TestEveryAttributeIsInTheVocabulary(t *testing.T) {
	t.Parallel()
	attrs := map[string]Attr{"attempt": Attempt(1), "rows": Rows(1), "changed": Changed(1), "status": Status(200)}
	for key, attr := range textConstructors {
		attrs[key] = attr("x")
	}
	for key, a := range attrs {
		if string(a.kv.Key) != key {
			t.Errorf("the constructor of %q returns the key %q", key, a.kv.Key)
		}
		if vocabulary[key] == unknown {
			t.Errorf("key %q is not in the vocabulary", key)
		}
	}
}

func TestSpellings(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		a    Attr
		want string
	}{
		{"an alias", Tenant("clinic-a"), "clinic-a"},
		{"an alias in capitals", Tenant("Clinic-A"), invalid},
		{"an alias that is too long", Tenant(strings.Repeat("a", 41)), invalid},
		{"a kind", Kind("patient.sync"), "patient.sync"},
		{"a text with a space", Code("Maria Muster"), invalid},
		{"a text with an umlaut", Operation("Müller"), invalid},
		{"a mail address", Reason("maria@example.org"), invalid},
		{"an empty text", Lane(""), invalid},
		{"a word at its limit", View(strings.Repeat("v", wordLimit)), strings.Repeat("v", wordLimit)},
		{"a word beyond its limit", View(strings.Repeat("v", wordLimit+1)), invalid},
		{"a ref", text("ref", someRef), someRef},
		{"a truncated ref", text("ref", someRef[:25]), invalid},
		{"a patient's number", text("ref", "4711"), invalid},
		{"a practice's number", text("practice", "7"), invalid},
		{"a ref with a digit outside base32", text("practice", "1"+someRef[1:]), invalid},
	} {
		if got := row.a.kv.Value.AsString(); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

func TestEmptyAttributesAreLeftOut(t *testing.T) {
	t.Parallel()
	if got := keyValues([]Attr{{}, Code(""), Rows(0)}); len(got) != 1 || got[0].Key != "rows" {
		t.Errorf("attributes = %v, want rows alone", got)
	}
}

// A value is a word, a ref or a placeholder. It never has blanks and never exceeds its limit.
func TestNoConstructorAcceptsFreeText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.String().Draw(t, "value")
		for key, attr := range textConstructors {
			got := attr(value).kv.Value.AsString()
			if got == invalid || got == "" && key == "code" {
				continue
			}
			if got != value || len(got) > wordLimit || strings.ContainsAny(got, " \t\n@,;'\"<>") {
				t.Fatalf("%s(%q) = %q", key, value, got)
			}
		}
	})
}

func TestLongTextsAreCutBetweenRunes(t *testing.T) {
	t.Parallel()
	for _, limit := range []int{textLimit, stackLimit} {
		got := cut(strings.Repeat("ü", limit), limit)
		if !utf8.ValidString(got) || len(got) > limit+len("…") || !strings.HasSuffix(got, "…") {
			t.Errorf("cut at %d returns %d bytes, valid=%v", limit, len(got), utf8.ValidString(got))
		}
	}
}
