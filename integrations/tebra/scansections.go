package tebra

import (
	"bytes"
	"strings"
)

// section consumes a comment or a CDATA section, whose text counts.
func (s *scanner) section(use textUse) error {
	switch {
	case s.starts("<!--"):
		return s.comment()
	case s.starts("<![CDATA["):
		if len(s.open) == 0 {
			return malformedError("syntax")
		}
		return s.cdata(use)
	case !s.ensure(len("<!DOCTYPE")):
		return s.ended()
	case bytes.EqualFold(s.buf[s.pos:s.pos+len("<!DOCTYPE")], []byte("<!DOCTYPE")):
		return s.documentType()
	}
	return malformedError("syntax")
}

// comment consumes a comment, which must not contain two hyphens.
func (s *scanner) comment() error {
	s.pos += len("<!--")
	if err := s.until("--", func([]byte) error { return nil }); err != nil {
		return err
	}
	if !s.ensure(1) {
		return s.ended()
	}
	if s.buf[s.pos] != '>' {
		return malformedError("syntax")
	}
	s.pos++
	return nil
}

// cdata consumes a CDATA section.
func (s *scanner) cdata(use textUse) error {
	s.pos += len("<![CDATA[")
	err := s.until("]]>", func(piece []byte) error { return s.take(use, piece, false) })
	s.text.flush(false)
	return err
}

// documentType returns the error for a document type, which only documents of others have.
func (s *scanner) documentType() error {
	s.pos += len("<!DOCTYPE")
	for s.ensure(1) && strings.IndexByte(xmlSpace, s.buf[s.pos]) >= 0 {
		s.pos++
	}
	const html = "html"
	if !s.rooted && s.ensure(len(html)) && bytes.EqualFold(s.buf[s.pos:s.pos+len(html)], []byte(html)) {
		return foreignError("html")
	}
	return malformedError("doctype")
}

// instruction consumes an XML declaration before the root element, whatever encoding it names: the
// encoding is that of the HTTP header, and the vendor's is UTF-8.
func (s *scanner) instruction() error {
	if !s.ensure(len("<?xml ")) {
		return s.ended()
	}
	target := s.buf[s.pos : s.pos+len("<?xml ")]
	if s.rooted || !bytes.HasPrefix(target, []byte("<?xml")) || !bytes.ContainsRune([]byte(xmlSpace), rune(target[5])) {
		return malformedError("instruction")
	}
	s.pos += len(target)
	return s.until("?>", func([]byte) error { return nil })
}
