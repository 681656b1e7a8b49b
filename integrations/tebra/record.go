package tebra

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strconv"
	"strings"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// record maps the members of a record to the fields of T. Other members are skipped, whatever they
// contain: the vendor adds members with every release.
type record[T any] struct {
	columns map[string]column[T]
	unread  func(*T) *[]string // where the names of unread columns go; nil for a part of a record
}

// column is a member of a record. It has either set or nested.
type column[T any] struct {
	index  int // of the bit that marks it as seen
	set    func(*T, *cell)
	nested func(*reader, *T, *cell) error // for a member that has members of its own
}

// maxColumns is the number of bits in problems.seen.
const maxColumns = 128

// newRecord returns the record with these columns.
func newRecord[T any](unread func(*T) *[]string, cells map[string]func(*T, *cell), nested map[string]func(*reader, *T, *cell) error) *record[T] {
	d := &record[T]{columns: make(map[string]column[T], len(cells)+len(nested)), unread: unread}
	for name, set := range cells {
		d.columns[name] = column[T]{index: len(d.columns), set: set}
	}
	for name, read := range nested {
		d.columns[name] = column[T]{index: len(d.columns), nested: read}
	}
	return d
}

// problems is what could not be read of a record.
type problems struct {
	unread []string   // columns whose values could not be read
	aside  string     // why the record cannot be used as a whole; "" if it can
	later  []laterSet // times that cannot be read before more of them have been seen
	clock  clock      // what the record's times have shown
	seen   [maxColumns / 64]uint64
}

// fine reports whether everything has been read.
func (p *problems) fine() bool { return p.aside == "" && len(p.unread) == 0 && len(p.later) == 0 }

// setAside notes why the record cannot be used; the first reason counts.
func (p *problems) setAside(reason string) {
	if p.aside == "" {
		p.aside = reason
	}
}

// repeats reports whether a column has occurred before.
func (p *problems) repeats(index int) bool {
	word, bit := index/64, uint64(1)<<(index%64)
	again := p.seen[word]&bit != 0
	p.seen[word] |= bit
	return again
}

// laterSet is a column that is set later.
type laterSet struct{ column, value string }

// read sets the fields of into from the members of the current element. The error is one of the
// envelope; what is wrong with the record itself is in problems.
func (d *record[T]) read(r *reader, into *T) (problems, error) {
	c := cell{reader: r}
	level := len(r.open)
	for {
		el, ok, err := r.next(reportText)
		if r.strayed() {
			c.setAside(SetAsideRow) // it may be the rest of a member
		}
		switch {
		case err != nil:
			return c.problems, err
		case !ok:
			d.decide(r, into, &c)
			return c.problems, nil
		}
		if err := d.member(el, into, &c); err != nil {
			return c.problems, err
		}
		if err := r.skip(level); err != nil {
			return c.problems, err
		}
	}
}

// member sets the field of the current element. A column that occurs twice has no value, because
// the record may be made of two, and neither has one in another namespace.
func (d *record[T]) member(el xml.Name, into *T, c *cell) error {
	col, ok := d.columns[el.Local]
	if !ok {
		return nil
	}
	c.column, c.value, c.failed = el.Local, nil, false
	again := c.repeats(col.index)
	if again {
		c.setAside(SetAsideRepeated)
		c.fail()
	}
	strange := el.Space != c.reader.ns
	if strange {
		c.fail()
	}
	if col.nested != nil {
		if strange {
			return nil
		}
		return col.nested(c.reader, into, c)
	}
	before := c.reader.text.lost
	value, err := c.reader.value()
	c.fixed = c.reader.text.lost > before
	switch {
	case errors.Is(err, errNested):
		value = nil
		c.fail()
	case err != nil:
		return err
	case again, strange:
		value = nil
	}
	c.value = value
	col.set(into, c)
	return nil
}

// decide sets the times that had to wait, if the record or the list so far shows how they are
// written.
func (d *record[T]) decide(r *reader, into *T, c *cell) {
	r.clock.add(c.clock)
	if len(c.later) == 0 {
		return
	}
	if how := c.clock.decide(); how != undecided {
		d.setLater(r, into, &c.problems, how)
	} else if how := r.clock.decide(); how != undecided {
		d.setLater(r, into, &c.problems, how)
	}
}

// setLater sets the times that had to wait.
func (d *record[T]) setLater(r *reader, into *T, p *problems, how hours) {
	c := cell{reader: r, hours: how, problems: *p}
	c.later = nil
	for _, s := range p.later {
		c.column, c.value, c.failed = s.column, []byte(s.value), false
		d.columns[s.column].set(into, &c)
	}
	*p = c.problems
}

// part reads the current element, which belongs to a record. What cannot be read counts against the
// cell.
func part[T any](r *reader, c *cell, columns *record[T], into *T) error {
	p, err := columns.read(r, into)
	if !p.fine() {
		c.fail()
	}
	return err
}

// nestedRows reads the elements with the given name in the current element, at most maxItems, and
// appends those with an identifier to rows. What cannot be read counts against the cell.
func nestedRows[T any](r *reader, c *cell, name string, columns *record[T], hasID func(*T) bool, rows *[]T) error {
	return r.elements(xml.Name{Space: r.ns, Local: name}, func(el child) error {
		if el != expectedChild || len(*rows) == maxItems {
			c.fail()
			return nil
		}
		var row T
		p, err := columns.read(r, &row)
		if !p.fine() {
			c.fail()
		}
		if hasID(&row) && p.aside == "" {
			*rows = append(*rows, row)
		}
		return err
	})
}

// cell is the text of one member. Absent, nil and empty members are treated alike, as the vendor
// does in rows; members for which the difference matters are nested. An invalid value costs the
// member alone, unless the record cannot be identified without it.
type cell struct {
	problems
	reader *reader
	column string
	value  []byte // valid only until the next member is read
	failed bool   // the value cannot be read
	fixed  bool   // characters of the value were replaced
	hours  hours  // how times without AM or PM are read
}

// fail notes that the value cannot be read.
func (c *cell) fail() {
	if !c.failed {
		c.failed = true
		c.unread = append(c.unread, c.column)
	}
}

// text returns the value of a column that has a different value in nearly every record.
func (c *cell) text() phi.Text { return phi.Text(c.value) }

// name returns the value of a column that has the same value in many records.
func (c *cell) name() string { return c.reader.text.intern(c.value) }

// practiceName returns the name of a practice. One with replaced characters cannot be read, because
// requests and rows of other lists name the practice otherwise.
func (c *cell) practiceName() string {
	if c.fixed {
		c.fail()
		return ""
	}
	return c.name()
}

// trimmed is name without white space around it.
func (c *cell) trimmed() string { return c.reader.text.intern(bytes.TrimSpace(c.value)) }

// ownID returns the identifier of the record itself. It is empty in the placeholder row of an empty
// list.
func (c *cell) ownID() phi.Text {
	text := string(bytes.TrimSpace(c.value))
	if text != "" && !isIdentifier(text, 64) {
		c.setAside(SetAsideID)
		return ""
	}
	return phi.Text(text)
}

// typedOwnID is ownID for a typed record, where 0 is .NET's "none".
func (c *cell) typedOwnID() phi.Text {
	if string(bytes.TrimSpace(c.value)) == "0" {
		return ""
	}
	return c.ownID()
}

// foreignID returns the identifier of another record, spelled like that record's own identifier. 0
// means none.
func (c *cell) foreignID() phi.Text {
	text := bytes.TrimLeft(bytes.TrimSpace(c.value), "0")
	switch {
	case len(text) == 0:
		return ""
	case !isIdentifier(string(text), 64):
		c.fail()
		return ""
	}
	return phi.Text(c.reader.text.intern(text))
}

// boolean reads a boolean, in a string row ("True") or as an xs:boolean. An absent one is false.
func (c *cell) boolean() bool {
	yes, ok := parseBoolean(c.value)
	if !ok && len(bytes.TrimSpace(c.value)) > 0 {
		c.fail()
	}
	return yes
}

func (c *cell) integer() int {
	text := strings.TrimSpace(string(c.value))
	n, err := strconv.ParseInt(text, 10, 32)
	if text != "" && err != nil {
		c.fail()
	}
	return int(n)
}
