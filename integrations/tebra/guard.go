package tebra

import "io"

// guard bounds what the XML decoder may be fed, and remembers why the feed ended. The decoder itself holds a tag or a text
// whole before it says anything about it, and makes of a tag many times its bytes.
type guard struct {
	r     io.Reader
	limit int64
	n     int64
	err   error // the first error of r, io.EOF included, or a shapeError of our own

	in    part
	run   int     // bytes of what is at hand
	quote byte    // around the attribute's value at hand; 0 outside of one
	tail  [2]byte // the last two bytes of what is special
}

// part is what a byte of a document stands in.
type part uint8

const (
	inText    part = iota
	inOpening      // the byte after '<' tells what it opens
	inTag          // with attributes, in whose values a '>' closes nothing
	inSpecial      // a comment or a section of text: '<' and '>' mean nothing in it, and it ends in "-->" or "]]>"
)

func (g *guard) Read(p []byte) (int, error) {
	if g.err != nil {
		return 0, g.err
	}
	n, err := g.r.Read(p)
	for _, b := range p[:n] {
		if g.see(b); g.run > maxToken || g.in == inTag && g.run > maxTag {
			g.err = shapeError("token")
			return 0, g.err
		}
	}
	if g.n += int64(n); g.n > g.limit {
		g.err = shapeError("size")
		return 0, g.err
	}
	g.err = err
	return n, err
}

// see follows the document far enough to know what is at hand. Judging it is the decoder's.
func (g *guard) see(b byte) {
	g.run++
	closed := false
	switch g.in {
	case inText:
		if b == '<' {
			g.in, g.run = inOpening, 0
		}
	case inOpening:
		switch g.in, g.quote, g.tail = inTag, 0, [2]byte{}; b {
		case '!':
			g.in = inSpecial
		case '>':
			closed = true
		}
	case inTag:
		switch {
		case b == g.quote:
			g.quote = 0
		case g.quote != 0:
		case b == '"', b == '\'':
			g.quote = b
		default:
			closed = b == '>'
		}
	case inSpecial:
		closed = b == '>' && (g.tail == [2]byte{'-', '-'} || g.tail == [2]byte{']', ']'})
		g.tail = [2]byte{g.tail[1], b}
	}
	if closed {
		g.in, g.run = inText, 0
	}
}
