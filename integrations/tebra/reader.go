package tebra

import (
	"bufio"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"time"
)

// Bounds of one answer. A day's list is 100 kB and five levels below its root; these leave room and still end.
const (
	maxDepth = 32
	maxToken = 4 << 20 // bytes of a text or a comment: a note may be long, what has no end is an attack
	maxTag   = 4 << 10 // bytes of a tag: the vendor's have a few attributes, and each costs many times its bytes
	maxRows  = 10_000  // the vendor cuts its lists here

	maxItems   = 1000 // of an array inside a record
	maxMembers = 32   // of one part of a result; the security part has the most, about a dozen
)

// shapeError says in one word in which way an answer is not what the operation answers. It never quotes the answer.
type malformedError string

func (e malformedError) Error() string { return "answer is misshapen: " + string(e) }

// errCut says that the answer ended before its document did.
var errTruncated = errors.New("answer is cut short")

// reader walks one answer as a stream: nothing of it is held but the element at hand.
type reader struct {
	dec     *xml.Decoder
	input   *boundedReader
	depth   int
	ns      string   // of the operation's own members
	zones   zonePair // how times of rows are read
	rows    int
	atLimit bool // as many rows as are read at most: there may be others
}

// byteOrderMark is what some of the vendor's kind put before a document. It says nothing about UTF-8.
const byteOrderMark = "\xef\xbb\xbf"

func newReader(r io.Reader, limit int64) *reader {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark)) // it was just looked at
	}
	input := &boundedReader{r: buffered, limit: limit}
	return &reader{dec: xml.NewDecoder(input), input: input, ns: nsKareo, zones: zonePair{wire: time.UTC, local: time.UTC}}
}

// token returns the next start, end or text. It refuses what a SOAP answer never has: document types (entities),
// processing instructions, and depth.
func (r *reader) token() (xml.Token, error) {
	for {
		tok, err := r.dec.Token()
		if err != nil {
			return nil, r.decodeError(err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if r.depth++; r.depth > maxDepth {
				return nil, malformedError("depth")
			}
			return t, nil
		case xml.EndElement:
			r.depth--
			return t, nil
		case xml.CharData:
			return t, nil
		case xml.Directive:
			return nil, malformedError("doctype")
		case xml.ProcInst:
			if t.Target != "xml" {
				return nil, malformedError("instruction")
			}
		}
	}
}

// failure tells a feed that broke or ended too soon from a document that is wrong where it stands.
func (r *reader) decodeError(err error) error {
	inputErr := r.input.err
	var malformed malformedError
	switch {
	case errors.As(inputErr, &malformed):
		return malformed
	case inputErr != nil && !errors.Is(inputErr, io.EOF):
		return errTruncated
	case inputErr != nil && r.dec.InputOffset() >= r.input.total:
		return errTruncated
	case errors.Is(err, io.EOF):
		return errTruncated
	}
	return malformedError("syntax")
}

// next returns the next start element, or ok false at the end of the element around it. Text between elements must be
// white space.
func (r *reader) next() (el xml.StartElement, ok bool, err error) {
	for {
		tok, err := r.token()
		if err != nil {
			return el, false, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return t, true, nil
		case xml.EndElement:
			return el, false, nil
		case xml.CharData:
			if len(strings.TrimSpace(string(t))) > 0 {
				return el, false, malformedError("text")
			}
		}
	}
}

// children calls fn with each child of the element at hand; fn may read the child or leave it. A child outside of the
// namespaces is refused, not skipped: the vendor has two that differ by a slash, and rows skipped one by one would pass
// for an empty list.
func (r *reader) children(fn func(el xml.StartElement) error, namespaces ...string) error {
	level := r.depth
	for {
		el, ok, err := r.next()
		if err != nil || !ok {
			return err
		}
		if !slices.Contains(namespaces, el.Name.Space) {
			return malformedError("namespace")
		}
		if err := fn(el); err != nil {
			return err
		}
		for r.depth > level {
			if _, err := r.token(); err != nil {
				return err
			}
		}
	}
}

// members is children for an element each of whose members comes once. A second one is refused: if the last one counted,
// "no error" could follow an error.
func (r *reader) members(fn func(el xml.StartElement) error, namespaces ...string) error {
	var seen []string
	return r.children(func(el xml.StartElement) error {
		if slices.Contains(seen, el.Name.Local) {
			return malformedError("repeated")
		}
		if seen = append(seen, el.Name.Local); len(seen) > maxMembers {
			return malformedError("members")
		}
		return fn(el)
	}, namespaces...)
}

// text returns the text of the element at hand, which must not have children. Comments and CDATA inside are no border.
func (r *reader) text() (string, error) {
	var b strings.Builder
	for {
		tok, err := r.token()
		if err != nil {
			return "", err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			return "", malformedError("nesting")
		case xml.EndElement:
			return b.String(), nil
		case xml.CharData:
			if b.Len()+len(t) > maxToken { // in pieces, between comments
				return "", malformedError("token")
			}
			b.Write(t)
		}
	}
}

// Two ends of a list that are no failures: its rows are as many as the vendor hands out, or nobody wants more.
var (
	errRowLimit = errors.New("list is full")
	errStopped  = errors.New("list is left")
)

// list calls row for every element called name of the list at hand, up to most. Another name is refused for the same reason
// as another namespace is.
func (r *reader) list(name string, limit int, row func() error) error {
	return r.children(func(el xml.StartElement) error {
		if el.Name.Local != name {
			return malformedError("row")
		}
		if r.rows == limit {
			return errRowLimit
		}
		r.rows++
		r.atLimit = r.rows == limit
		return row()
	}, r.ns)
}

// items returns the texts of the elements called name of the array at hand, at most as many as a row has room for.
func (r *reader) items(ns, name string) ([]string, error) {
	var all []string
	err := r.children(func(el xml.StartElement) error {
		if el.Name.Local != name || len(all) == maxItems {
			return malformedError("array")
		}
		item, err := r.text()
		all = append(all, item)
		return err
	}, ns)
	return all, err
}
