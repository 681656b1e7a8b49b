package cli

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// controls reports whether a terminal or a reader may take r as a command instead of showing it:
// control characters (C0, DEL and C1, which begin escape sequences), the characters that change the
// direction of text (Unicode's Bidi_Control), separators of lines and paragraphs, and the tags and
// byte order mark that have no width.
func controls(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || unicode.In(r, unicode.Zl, unicode.Zp) ||
		r == '\ufeff' || r >= 0xe0000 && r <= 0xe007f
}

// printable returns text with each control character escaped as in a Go string: texts of the vendor
// and of callers must not act on the operator's terminal. Bytes that are not UTF-8 are escaped too.
func printable(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return controls(r) || r == utf8.RuneError }) {
		return text
	}
	var b strings.Builder
	for rest := text; rest != ""; {
		r, size := utf8.DecodeRuneInString(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, rest[0])
		case controls(r):
			b.WriteString(strings.Trim(fmt.Sprintf("%+q", r), "'"))
		default:
			b.WriteString(rest[:size])
		}
		rest = rest[size:]
	}
	return b.String()
}

// printableLines is printable for each line of a text.
func printableLines(text string) string {
	all := strings.Split(text, "\n")
	for i, line := range all {
		all[i] = printable(line)
	}
	return strings.Join(all, "\n")
}

// printableJSON escapes control characters in a JSON document as JSON does, which leaves its values
// as they are. The encoder has escaped C0 already and replaced what is not UTF-8.
func printableJSON(document string) string {
	if !strings.ContainsFunc(document, func(r rune) bool { return r != '\n' && controls(r) }) {
		return document
	}
	var b strings.Builder
	for _, r := range document {
		switch {
		case r == '\n' || !controls(r):
			b.WriteRune(r)
		case r > 0xffff:
			high, low := (r-0x10000)>>10+0xd800, (r-0x10000)&0x3ff+0xdc00
			fmt.Fprintf(&b, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}
