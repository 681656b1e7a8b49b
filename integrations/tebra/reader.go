package tebra

import (
	"encoding/xml"
	"errors"
	"io"
	"slices"
)

// Limits of one response. A day's list is about 100 kB with five levels below the root, far below
// them.
const (
	maxDepth = 32
	maxToken = 4 << 20 // bytes of a text or comment; notes may be long, but not endless
	maxTag   = 4 << 10 // bytes of a tag; real tags are short
	maxRows  = 10_000  // where the vendor cuts its lists

	maxItems = 1000 // of an array in a record
)

// malformedError is a keyword for the way in which a response is malformed. It never quotes the
// response.
type malformedError string

func (e malformedError) Error() string { return "response is malformed: " + string(e) }

// foreignError is a keyword for a response that is not from the vendor's service, although it has
// the status and the media type of one.
type foreignError string

func (e foreignError) Error() string { return "response is not SOAP: " + string(e) }

var (
	// errTruncated reports that the response ended before its document did.
	errTruncated = errors.New("response is truncated")
	// errNested reports that a member has members of its own instead of a text.
	errNested = errors.New("member is nested")
)

// reader reads one response as a stream. It keeps only the current element in memory.
type reader struct {
	scanner
	ns      string   // namespace of the operation's own members
	zones   zonePair // how times in rows are read
	clock   clock    // what the rows have shown so far
	rows    int      // elements of the list, and single records
	found   int      // records with an identifier
	atLimit bool     // the row limit is reached; there may be more rows

	practices []string // that the user is authorized for, as the security part states

	setAside int // rows that could not be read
	unread   int // rows with columns that could not be read
}

// record counts a single record.
func (r *reader) record() {
	r.rows++
	r.found++
}

// byteOrderMark may precede a document. In UTF-8 it has no meaning.
const byteOrderMark = "\xef\xbb\xbf"

func newReader(r io.Reader, limit int64) *reader {
	out := &reader{scanner: newScanner(r, limit), ns: nsKareo, zones: utcPair}
	if out.starts(byteOrderMark) {
		out.pos += len(byteOrderMark)
	}
	return out
}

// children calls fn with each child of the current element; fn may read the child or leave it
// unread. It is for the elements that enclose rows: a child in another namespace is an error and
// is not skipped, because the vendor has two namespaces that differ only in a slash.
func (r *reader) children(fn func(el xml.Name) error, namespaces ...string) error {
	level := len(r.open)
	for {
		el, ok, err := r.next(blankText)
		if err != nil || !ok {
			return err
		}
		if !slices.Contains(namespaces, el.Space) {
			return malformedError("namespace")
		}
		if err := fn(el); err != nil {
			return err
		}
		if err := r.skip(level); err != nil {
			return err
		}
	}
}

// child is what an element with rows or items contains.
type child uint8

const (
	expectedChild child = iota // an element with the expected name
	otherChild                 // any other element
	strayText
)

// elements calls fn with each child of the current element, and with text between them. fn may
// read the child or leave it unread. Unlike children, it leaves other names and namespaces to fn,
// because they concern one row or item.
func (r *reader) elements(expected xml.Name, fn func(child) error) error {
	level := len(r.open)
	for {
		el, ok, err := r.next(reportText)
		if err == nil && r.strayed() {
			err = fn(strayText)
		}
		if err != nil || !ok {
			return err
		}
		kind := otherChild
		if el == expected {
			kind = expectedChild
		}
		if err := fn(kind); err != nil {
			return err
		}
		if err := r.skip(level); err != nil {
			return err
		}
	}
}

// members is like children for an element whose members occur at most once. A repeated member is an
// error: if the last one counted, "no error" could override an error. Members that fn leaves unread
// may be repeated.
func (r *reader) members(fn func(el xml.Name) error, namespaces ...string) error {
	var seen []string
	level := len(r.open)
	return r.children(func(el xml.Name) error {
		if slices.Contains(seen, el.Local) {
			return malformedError("repeated")
		}
		if err := fn(el); err != nil {
			return err
		}
		if len(r.open) == level { // it is read
			seen = append(seen, el.Local)
		}
		return nil
	}, namespaces...)
}

// value returns the text of the current element, valid until the next call. Comments and CDATA
// sections may split it. The error is errNested, and the element is read, if it has children.
func (r *reader) value() ([]byte, error) {
	if text, ok := r.plainText(); ok {
		return text, nil
	}
	level := len(r.open)
	var nested error
	r.text.buf = r.text.buf[:0]
	for {
		_, start, err := r.next(keepText)
		switch {
		case err != nil:
			return nil, err
		case !start:
			return r.text.buf, nested
		}
		nested = errNested
		if err := r.skip(level); err != nil {
			return nil, err
		}
	}
}

// word returns the text of the current element, which must not have children.
func (r *reader) word() (string, error) {
	text, err := r.value()
	if errors.Is(err, errNested) {
		return "", malformedError("nesting")
	}
	return string(text), err
}

// These errors end a list early without a failure: the list reached its row limit, or the caller
// stopped.
var (
	errRowLimit = errors.New("row limit reached")
	errStopped  = errors.New("caller stopped")
)

// list calls row for every element in the current element, up to limit, and for stray text between
// them. known reports that it is an element with the given name.
func (r *reader) list(name string, limit int, row func(known bool) error) error {
	return r.elements(xml.Name{Space: r.ns, Local: name}, func(el child) error {
		if el == strayText {
			return row(false)
		}
		if r.rows == limit {
			return errRowLimit
		}
		r.rows++
		r.atLimit = r.rows == limit
		return row(el == expectedChild)
	})
}

// items returns the texts of the elements with the given name in the current element, at most
// maxItems. whole reports that there is nothing else.
func (r *reader) items(ns, name string) (all []string, whole bool, err error) {
	whole = true
	err = r.elements(xml.Name{Space: ns, Local: name}, func(el child) error {
		if el != expectedChild || len(all) == maxItems {
			whole = false
			return nil
		}
		item, err := r.value()
		if errors.Is(err, errNested) {
			whole = false
			return nil
		}
		all = append(all, string(item))
		return err
	})
	return all, whole, err
}
