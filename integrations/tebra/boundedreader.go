package tebra

import "io"

// boundedReader limits the input of the XML decoder and records why the input ended. The decoder
// buffers a whole tag or text before it returns it, and a tag takes many times its size in memory.
type boundedReader struct {
	r     io.Reader
	limit int64
	total int64
	err   error // the first error of r, io.EOF included, or a malformedError

	state  scanState
	length int     // length of the current token in bytes
	quote  byte    // the quote around the current attribute value; 0 outside of one
	tail   [2]byte // the last two bytes of a special section
}

// scanState is the part of a document that a byte belongs to.
type scanState uint8

const (
	inText    scanState = iota
	inOpening           // after '<': the next byte determines what it opens
	inTag               // in a tag; a '>' within an attribute value does not close it
	// In a comment or CDATA section, where '<' and '>' have no meaning; it ends with "-->" or
	// "]]>".
	inSpecial
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

// scan follows the document only far enough to know the current state. Checking the syntax is left
// to the decoder.
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
