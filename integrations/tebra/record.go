package tebra

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// record says where the members of a T go. Members that it does not name are passed over, whatever is in them: the vendor
// adds some with every release.
type record[T any] struct {
	cells  map[string]func(*T, *cell)
	nested map[string]func(*reader, *T) error // those with members of their own
}

// read fills into with the members of the element at hand.
func (d *record[T]) read(r *reader, into *T) error {
	c := cell{zones: r.zones}
	return r.children(func(el xml.StartElement) error {
		if readNested, ok := d.nested[el.Name.Local]; ok {
			return readNested(r, into)
		}
		set, ok := d.cells[el.Name.Local]
		if !ok {
			return nil
		}
		var err error
		if c.value, err = r.text(); err != nil {
			return err
		}
		set(into, &c)
		return c.err
	}, r.ns)
}

// row reads the element at hand.
func (d *record[T]) row(r *reader) (T, error) {
	var row T
	err := d.read(r, &row)
	return row, err
}

// cell is the text of one member. Absent, nil and empty are alike to it, as they are to those who wrote the vendor's
// rows; a member for which they differ is a part. A value that is none of its kind is a complaint, and the answer around
// it is refused: a row left out would look deleted.
type cell struct {
	zones zonePair
	value string
	hasID bool // the record has its identifier
	err   error
}

func (c *cell) text() phi.Text { return phi.Text(c.value) }

func (c *cell) trimmed() string { return strings.TrimSpace(c.value) }

func (c *cell) fail(reason string) { c.err = malformedError(reason) }

// key is the identifier of the record itself, which has one. None is the placeholder that stands for an empty list.
func (c *cell) ownID() phi.Text {
	if c.hasID {
		c.fail("repeated")
	}
	c.hasID = true
	return c.id()
}

// ref is an identifier in a typed record, whose zero is .NET's "none".
func (c *cell) typedID() phi.Text {
	if c.trimmed() == "0" {
		return ""
	}
	return c.id()
}

// link is the identifier of another record in a row, in the spelling of that record's own. 0 is none. What is no number
// stays as it is: asking for it is refused later, and the row is not lost for it.
func (c *cell) foreignID() phi.Text {
	text := c.trimmed()
	switch n, err := strconv.ParseInt(text, 10, 64); {
	case err != nil:
		return phi.Text(text)
	case n == 0:
		return ""
	default:
		return phi.Text(strconv.FormatInt(n, 10))
	}
}

// identifier is none, or a positive number of 64 bits: nothing else is an identifier of the vendor's.
func (c *cell) id() phi.Text {
	text := c.trimmed()
	if text != "" && !isIdentifier(text, 64) {
		c.fail("id")
		return ""
	}
	return phi.Text(text)
}

func (c *cell) time() time.Time {
	t, ok := parseRowTime(c.value, c.zones.wire)
	switch {
	case !ok:
		c.fail("date")
	case !t.IsZero():
		t = t.In(c.zones.local)
	}
	return t
}

func (c *cell) date() phi.Text {
	date, ok := parseRowDate(c.value)
	if !ok {
		c.fail("date")
	}
	return phi.Text(date)
}

// truth reads the booleans of string rows, "True" and "False". Anything else is false, as an absent one is.
func (c *cell) looseBool() bool {
	return strings.EqualFold(c.trimmed(), "true") || c.trimmed() == "1"
}

// flag reads an xs:boolean, which is not absent when it is there.
func (c *cell) strictBool() bool {
	yes, ok := parseBoolean(c.value)
	if !ok && c.trimmed() != "" {
		c.fail("boolean")
	}
	return yes
}

func (c *cell) integer() int {
	text := c.trimmed()
	n, err := strconv.ParseInt(text, 10, 32)
	if text != "" && err != nil {
		c.fail("number")
	}
	return int(n)
}
