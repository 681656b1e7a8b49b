package cli

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "Zoë O’Brien-Ñandú 李": "Zoë O’Brien-Ñandú 李", "می\u200cخواهم": "می\u200cخواهم", // the non-joiner changes how it is drawn
		"\x1b[31mred": `\x1b[31mred`, "a\nb\tc\rd\x00": `a\nb\tc\rd\x00`, "\u009b31m": `\u009b31m`, "\x7f": `\x7f`,
		"\u202eX\u2066\u200f\u061c": `\u202eX\u2066\u200f\u061c`, "a\u2028b\u2029\ufeff": `a\u2028b\u2029\ufeff`,
		"\U000e0041": `\U000e0041`, "a\xffb": `a\xffb`, "\ufffd": "\ufffd", `back\slash`: `back\slash`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// No text gets a control character to the terminal, and no other character is lost.
func TestPrintableOfAnyText(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text")
		got := printable(text)
		if strings.ContainsFunc(got, controls) || !utf8.ValidString(got) || printable(got) != got {
			t.Errorf("%q: %q", text, got)
		}
		document, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var before, after string
		escaped := printableJSON(string(document) + "\n")
		if json.Unmarshal(document, &before) != nil || json.Unmarshal([]byte(escaped), &after) != nil || before != after {
			t.Errorf("%s: %s", document, escaped)
		}
		if strings.ContainsFunc(strings.TrimSuffix(escaped, "\n"), controls) {
			t.Errorf("%q", escaped)
		}
	})
}
