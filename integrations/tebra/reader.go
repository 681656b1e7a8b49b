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

// Limits of one response. A day's list is about 100 kB with five levels below the root, far below
// them.
const (
	maxDepth = 32
	maxToken = 4 << 20 // bytes of a text or comment; notes may be long, but not endless
	// Bytes of a tag; real tags are short, and parsing costs many times their size.
	maxTag  = 4 << 10
	maxRows = 10_000 // where the vendor cuts its lists

	maxItems   = 1000 // of an array in a record
	maxMembers = 32   // of one part of a result; the security part has the most, about a dozen
)

// malformedError is a keyword for the way in which a response is malformed. It never quotes the
// response.
type malformedError string

func (e malformedError) Error() string { return "response is malformed: " + string(e) }

// errTruncated reports that the response ended before its document did.
var errTruncated = errors.New("response is truncated")

// reader reads one response as a stream. It keeps only the current element in memory.
type reader struct {
	dec     *xml.Decoder
	input   *boundedReader
	depth   int
	ns      string   // namespace of the operation's own members
	zones   zonePair // how times in rows are read
	rows    int
	atLimit bool // the row limit is reached; there may be more rows
}

// byteOrderMark may precede a document. In UTF-8 it has no meaning.
const byteOrderMark = "\xef\xbb\xbf"

func newReader(r io.Reader, limit int64) *reader {
	buffered := bufio.NewReader(r)
	if mark, err := buffered.Peek(len(byteOrderMark)); err == nil && string(mark) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark)) // cannot fail after Peek
	}
	input := &boundedReader{r: buffered, limit: limit}
	return &reader{dec: xml.NewDecoder(input), input: input, ns: nsKareo, zones: zonePair{wire: time.UTC, local: time.UTC}}
}

// token returns the next start tag, end tag or text. It rejects what a SOAP response never
// contains: document type declarations, processing instructions and deep nesting.
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

// decodeError distinguishes input that failed or ended early from a document with a syntax error.
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

// next returns the next start tag, or false for ok at the end of the enclosing element. Text
// between elements must be white space.
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

// children calls fn with each child of the current element; fn may read the child or leave it
// unread. A child in another namespace is an error and is not skipped: the vendor has two
// namespaces that differ only in a slash, and if every row were skipped, the list would appear to
// be empty.
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

// members is like children for an element whose members occur at most once. A repeated member is an
// error: if the last one counted, "no error" could override an error.
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

// text returns the text of the current element, which must not have children. Comments and CDATA
// sections may split the text.
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
			if b.Len()+len(t) > maxToken { // comments may split a text into pieces
				return "", malformedError("token")
			}
			b.Write(t)
		}
	}
}

// These errors end a list early without a failure: the list reached its row limit, or the caller
// stopped.
var (
	errRowLimit = errors.New("row limit reached")
	errStopped  = errors.New("caller stopped")
)

// list calls row for every element with the given name in the current element, up to limit. An
// element with another name is an error, for the same reason as in children.
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

// items returns the texts of the elements with the given name in the current element, at most
// maxItems.
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
