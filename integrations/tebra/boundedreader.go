package tebra

import "io"

// guard bounds what the XML decoder may be fed, and remembers why the feed ended. The decoder itself holds a tag or a text
// whole before it says anything about it, and makes of a tag many times its bytes.
type boundedReader struct {
	r     io.Reader
	limit int64
	total int64
	err   error // the first error of r, io.EOF included, or a shapeError of our own

	state  scanState
	length int     // bytes of what is at hand
	quote  byte    // around the attribute's value at hand; 0 outside of one
	tail   [2]byte // the last two bytes of what is special
}

// part is what a byte of a document stands in.
type scanState uint8

const (
	inText    scanState = iota
	inOpening           // the byte after '<' tells what it opens
	inTag               // with attributes, in whose values a '>' closes nothing
	inSpecial           // a comment or a section of text: '<' and '>' mean nothing in it, and it ends in "-->" or "]]>"
)

func (br *boundedReader) Read(p []byte) (int, error) {
	if br.err != nil {
		return 0, br.err
	}
	n, err := br.r.Read(p)
	for _, b := range p[:n] {
		if br.scan(b); br.length > maxToken || br.state == inTag && br.length > maxTag {
			br.err = malformedError("token")
			return 0, br.err
		}
	}
	if br.total += int64(n); br.total > br.limit {
		br.err = malformedError("size")
		return 0, br.err
	}
	br.err = err
	return n, err
}

// see follows the document far enough to know what is at hand. Judging it is the decoder's.
func (br *boundedReader) scan(b byte) {
	br.length++
	closed := false
	switch br.state {
	case inText:
		if b == '<' {
			br.state, br.length = inOpening, 0
		}
	case inOpening:
		switch br.state, br.quote, br.tail = inTag, 0, [2]byte{}; b {
		case '!':
			br.state = inSpecial
		case '>':
			closed = true
		}
	case inTag:
		switch {
		case b == br.quote:
			br.quote = 0
		case br.quote != 0:
		case b == '"', b == '\'':
			br.quote = b
		default:
			closed = b == '>'
		}
	case inSpecial:
		closed = b == '>' && (br.tail == [2]byte{'-', '-'} || br.tail == [2]byte{']', ']'})
		br.tail = [2]byte{br.tail[1], b}
	}
	if closed {
		br.state, br.length = inText, 0
	}
}
