package tebra

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
)

// scanner splits a response into tags and texts. It replaces encoding/xml's decoder, which refuses
// a whole document for one character and allocates every name and text, whether it is used or not.
//
// It is strict about tags, comments and sections, because a mistake there may have moved data from
// one record to another. It is lenient about texts (see repair): what they contain concerns one
// member of one record.
//
// It keeps a window of the input, the names of the open elements and the text of one member.
type scanner struct {
	input
	open     []*tagName
	bindings []binding
	names    map[string]*tagName
	empty    bool   // the last tag was an empty element, whose end is the next token
	rooted   bool   // the document's root element has been read
	root     string // its name as written, even if its tag cannot be read
	stray    bool   // there was text where next was to report it
	text     repair
}

func newScanner(r io.Reader, limit int64) scanner {
	return scanner{input: input{r: r, limit: limit, buf: make([]byte, windowSize)}, names: make(map[string]*tagName, 128)}
}

// textUse is what the caller of next does with the text before the next tag.
type textUse uint8

const (
	skipText   textUse = iota // it is not examined
	blankText                 // it must be white space
	reportText                // scanner.stray is set if it is anything else than white space
	keepText                  // it is added to scanner.text
)

// next consumes the text before the next tag, and the tag. For a start tag it returns the element's
// name and true, for an end tag false, and at the end of the document io.EOF.
func (s *scanner) next(use textUse) (name xml.Name, start bool, err error) {
	if s.empty {
		s.empty = false
		s.pop()
		return name, false, nil
	}
	if use != keepText {
		s.text.buf = s.text.buf[:0]
	}
	for {
		if err := s.textUntilTag(use); err != nil {
			return name, false, err
		}
		if !s.ensure(2) {
			return name, false, s.ended()
		}
		switch s.buf[s.pos+1] {
		case '!':
			err = s.section(use)
		case '?':
			err = s.instruction()
		default:
			return s.elementTag(use)
		}
		if err != nil {
			return name, false, err
		}
	}
}

// elementTag consumes a start tag or an end tag, and checks the text before it.
func (s *scanner) elementTag(use textUse) (name xml.Name, start bool, err error) {
	if use != keepText && len(s.text.buf) > 0 && len(bytes.Trim(s.text.buf, xmlSpace+replacement)) > 0 {
		if use == blankText {
			return name, false, malformedError("text")
		}
		s.stray = true
	}
	if s.buf[s.pos+1] == '/' {
		return name, false, s.endTag()
	}
	name, err = s.startTag()
	return name, err == nil, err
}

// plainText returns the text of the element whose start tag was read last, and consumes its end
// tag, if both are in the window and the text needs no repair. This is the case of nearly all
// members. The bytes are valid until the next call.
func (s *scanner) plainText() (text []byte, ok bool) {
	if s.empty {
		return nil, false
	}
	rest := s.buf[s.pos:s.end]
	n := plainLength(rest)
	raw := s.open[len(s.open)-1].raw
	after := n + 2 + len(raw)
	if after >= len(rest) || rest[n] != '<' || rest[n+1] != '/' || rest[after] != '>' || string(rest[n+2:after]) != raw {
		return nil, false
	}
	s.pos += after + 1
	s.pop()
	return rest[:n], true
}

// textUntilTag consumes the text before the next tag. It returns io.EOF at the end of the document.
func (s *scanner) textUntilTag(use textUse) error {
	for length := 0; ; {
		rest := s.buf[s.pos:s.end]
		n := bytes.IndexByte(rest, '<')
		found := n >= 0
		if !found {
			n = len(rest)
		}
		if length += n; length > maxToken {
			return malformedError("token")
		}
		if err := s.take(use, rest[:n], true); err != nil {
			return err
		}
		switch s.pos += n; {
		case found:
			s.text.flush(true)
			return nil
		case s.more():
		case len(s.open) == 0 && s.rooted && errors.Is(s.err, io.EOF):
			return io.EOF
		default:
			return s.ended()
		}
	}
}

// take uses a piece of text. Its bytes are copied if they are kept. A text that should be white
// space is checked when all of it has been read. Characters that are replaced count as white space.
func (s *scanner) take(use textUse, piece []byte, references bool) error {
	switch {
	case len(piece) == 0, use == skipText:
		return nil
	case use == keepText:
	case len(bytes.TrimLeft(piece, xmlSpace)) == 0:
		return nil
	case !s.rooted:
		return foreignError("text")
	case len(s.open) == 0:
		return malformedError("trailing")
	}
	if len(s.text.buf)+len(piece) > maxToken { // comments may split a text into pieces
		return malformedError("token")
	}
	s.text.add(piece, references)
	return nil
}

// strayed reports whether there has been stray text since the last call.
func (s *scanner) strayed() bool {
	stray := s.stray
	s.stray = false
	return stray
}

// skip consumes the input until the element at a level is the innermost one.
func (s *scanner) skip(level int) error {
	for len(s.open) > level {
		if _, _, err := s.next(skipText); err != nil {
			return err
		}
	}
	return nil
}

// startTag consumes a start tag.
func (s *scanner) startTag() (xml.Name, error) {
	if !s.rooted {
		s.root = s.tagName()
	}
	tag, err := s.tag()
	if err != nil {
		return xml.Name{}, err
	}
	if s.empty = tag[len(tag)-1] == '/'; s.empty {
		tag = tag[:len(tag)-1]
	}
	n := nameLength(tag)
	name, ok := s.name(tag[:n])
	if !ok || len(s.open) == 0 && s.rooted {
		return xml.Name{}, s.misplaced(ok)
	}
	if len(s.open) == maxDepth {
		return xml.Name{}, malformedError("depth")
	}
	s.open, s.rooted = append(s.open, name), true
	if err := s.attributes(tag[n:]); err != nil {
		return xml.Name{}, err
	}
	return xml.Name{Space: s.namespace(name.prefix), Local: name.local}, nil
}

// misplaced returns the error for a start tag with an invalid name, or after the root element.
func (s *scanner) misplaced(validName bool) error {
	if validName {
		return malformedError("trailing")
	}
	return malformedError("syntax")
}

// endTag consumes an end tag.
func (s *scanner) endTag() error {
	tag, err := s.tag()
	if err != nil {
		return err
	}
	name := bytes.TrimRight(tag[1:], xmlSpace)
	if len(s.open) == 0 || string(name) != s.open[len(s.open)-1].raw {
		return malformedError("syntax")
	}
	s.pop()
	return nil
}

// pop closes the innermost element.
func (s *scanner) pop() {
	for n := len(s.bindings); n > 0 && s.bindings[n-1].depth == len(s.open); n-- {
		s.bindings = s.bindings[:n-1]
	}
	s.open = s.open[:len(s.open)-1]
}

// tag consumes a tag and returns what is between its brackets. The bytes are valid until the next
// call.
func (s *scanner) tag() ([]byte, error) {
	quote := byte(0)
	for i := s.pos + 1; ; i++ {
		if i-s.pos > maxTag {
			return nil, malformedError("token")
		}
		if i == s.end {
			offset := i - s.pos
			if !s.more() {
				return nil, s.ended()
			}
			i = s.pos + offset
		}
		switch b := s.buf[i]; {
		case b == '<':
			return nil, malformedError("syntax")
		case quote != 0:
			if b == quote {
				quote = 0
			}
		case b == '"', b == '\'':
			quote = b
		case b == '>':
			tag := s.buf[s.pos+1 : i]
			if s.pos = i + 1; len(tag) == 0 {
				return nil, malformedError("syntax")
			}
			return tag, nil
		}
	}
}
