package tebra

import (
	"bytes"
	"slices"
	"unicode/utf8"
)

// repair turns the characters of a member into its text. What XML 1.0 forbids becomes U+FFFD:
// control characters (which WCF writes as references, for texts pasted from a word processor),
// bytes that are not UTF-8, and references to characters or entities that do not exist. An
// ampersand that begins no reference stays. Each of them is counted.
type repair struct {
	buf     []byte
	pending []byte // the beginning of a reference or a character, at the end of a piece
	cr      bool   // the last character was a carriage return
	count   int    // how much was repaired in all texts
	lost    int    // how much of it was replaced by U+FFFD
	values  map[string]string
}

// replacement is U+FFFD in UTF-8.
const replacement = "\uFFFD"

// add adds a piece of text. CDATA sections have no references.
func (t *repair) add(piece []byte, references bool) {
	if len(t.pending) > 0 {
		piece = append(t.pending, piece...)
		t.pending = nil
	}
	t.pending = slices.Clone(t.decodePart(piece, references, false))
}

// flush ends a section of text: what is pending is complete.
func (t *repair) flush(references bool) {
	if len(t.pending) > 0 {
		t.decodePart(t.pending, references, true)
		t.pending = nil
	}
	t.cr = false
}

// decode returns a complete text, valid until the next call.
func (t *repair) decode(text []byte, references bool) []byte {
	t.buf = t.buf[:0]
	t.decodePart(text, references, true)
	t.cr = false
	return t.buf
}

// decodePart adds text and returns the rest that needs more input; nothing if final.
func (t *repair) decodePart(text []byte, references, final bool) (rest []byte) {
	for len(text) > 0 {
		if t.cr { // a line ends with one character
			if t.cr = false; text[0] == '\n' {
				text = text[1:]
				continue
			}
		}
		n := plainLength(text)
		t.buf = append(t.buf, text[:n]...)
		if text = text[n:]; len(text) == 0 {
			break
		}
		var used int
		switch b := text[0]; {
		case b == '\r':
			t.buf, t.cr, used = append(t.buf, '\n'), true, 1
		case b == '&' && references:
			used = t.reference(text, final)
		case b >= utf8.RuneSelf:
			used = t.character(text, final)
		case b < ' ':
			used = t.replace(1)
		default: // a bracket or an ampersand of a CDATA section
			t.buf, used = append(t.buf, b), 1
		}
		if used == 0 {
			return text
		}
		text = text[used:]
	}
	return nil
}

// replace adds the replacement of a number of bytes, and returns the number.
func (t *repair) replace(size int) int {
	t.buf = append(t.buf, replacement...)
	t.count++
	t.lost++
	return size
}

// character adds the character at the beginning of text. It returns the character's size, or 0 if
// more input is needed.
func (t *repair) character(text []byte, final bool) (size int) {
	if !final && !utf8.FullRune(text) {
		return 0
	}
	r, size := utf8.DecodeRune(text)
	if r == utf8.RuneError && size == 1 || !isXMLRune(r) {
		return t.replace(size)
	}
	t.buf = append(t.buf, text[:size]...)
	return size
}

// maxReference is the length of the longest reference in bytes. The entities of HTML are shorter.
const maxReference = 64

// reference adds the character that the reference at the beginning of text stands for. It returns
// the reference's size, or 0 if more input is needed.
func (t *repair) reference(text []byte, final bool) (size int) {
	end := 1
	for end < len(text) && end < maxReference && (text[end] == '#' || isNameByte[text[end]]) {
		end++
	}
	switch {
	case end == len(text) && end < maxReference && !final:
		return 0
	case end == 1, end == len(text), text[end] != ';':
		t.buf = append(t.buf, '&')
		t.count++
		return 1
	}
	switch name := text[1:end]; {
	case name[0] == '#':
		if r, ok := characterNumber(name[1:]); ok {
			t.buf = utf8.AppendRune(t.buf, r)
			return end + 1
		}
	default:
		if r, ok := entities[string(name)]; ok {
			t.buf = append(t.buf, r)
			return end + 1
		}
	}
	return t.replace(end + 1)
}

// entities are those that XML defines. Others need a document type, which no response has.
var entities = map[string]byte{"amp": '&', "lt": '<', "gt": '>', "quot": '"', "apos": '\''}

// characterNumber reads the number of a character reference. ok is false if XML allows no such
// character.
func characterNumber(text []byte) (r rune, ok bool) {
	base := rune(10)
	if hex, isHex := bytes.CutPrefix(text, []byte("x")); isHex {
		text, base = hex, 16
	}
	for _, b := range text {
		digit := rune(99)
		switch {
		case b >= '0' && b <= '9':
			digit = rune(b - '0')
		case b|0x20 >= 'a' && b|0x20 <= 'f':
			digit = rune(b|0x20-'a') + 10
		}
		if r = r*base + digit; digit >= base || r > utf8.MaxRune {
			return 0, false
		}
	}
	return r, len(text) > 0 && isXMLRune(r)
}

// isXMLRune reports whether XML 1.0 allows the character.
func isXMLRune(r rune) bool {
	return r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF || r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
}

// Limits of the values that are shared between rows.
const (
	maxValues    = 4096
	maxValueKept = 64
)

// intern returns text as a string. Equal short texts are one string, so that a list of thousands of
// rows has each status and each provider's name once.
func (t *repair) intern(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if value, ok := t.values[string(text)]; ok {
		return value
	}
	value := string(text)
	if len(text) <= maxValueKept && len(t.values) < maxValues {
		if t.values == nil {
			t.values = map[string]string{}
		}
		t.values[value] = value
	}
	return value
}

// xmlSpace is what XML counts as white space.
const xmlSpace = " \t\r\n"

// isPlain reports that a byte stands for itself in every text.
var isPlain = classOf(func(b byte) bool {
	return b == '\t' || b == '\n' || b >= ' ' && b < utf8.RuneSelf && b != '&' && b != '<'
})

func classOf(is func(byte) bool) (class [256]bool) {
	for i := range class {
		class[i] = is(byte(i))
	}
	return class
}

// plainLength returns how many bytes at the beginning of text stand for themselves.
func plainLength(text []byte) int {
	for i, b := range text {
		if !isPlain[b] {
			return i
		}
	}
	return len(text)
}
