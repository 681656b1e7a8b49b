package tebra

import (
	"encoding/xml"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// record maps the members of a record to the fields of T. Other members are skipped, whatever they
// contain: the vendor adds members with every release.
type record[T any] struct {
	cells  map[string]func(*T, *cell)
	nested map[string]func(*reader, *T) error // members that have members of their own
}

// read sets the fields of into from the members of the current element.
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

// row reads the current element as a T.
func (d *record[T]) row(r *reader) (T, error) {
	var row T
	err := d.read(r, &row)
	return row, err
}

// nestedRows reads the elements with the given name in the current element, at most maxItems, and
// appends those with an identifier to rows.
func nestedRows[T any](r *reader, name string, columns *record[T], hasID func(*T) bool, rows *[]T) error {
	return r.children(func(el xml.StartElement) error {
		if el.Name.Local != name || len(*rows) == maxItems {
			return malformedError("array")
		}
		row, err := columns.row(r)
		if hasID(&row) {
			*rows = append(*rows, row)
		}
		return err
	}, r.ns)
}

// cell is the text of one member. Absent, nil and empty members are treated alike, as the vendor
// does in rows; members for which the difference matters are in record.nested. An invalid value
// makes the whole response invalid: if the row were skipped, it would appear to be deleted.
type cell struct {
	zones zonePair
	value string
	hasID bool // the record already has its identifier
	err   error
}

func (c *cell) text() phi.Text { return phi.Text(c.value) }

func (c *cell) trimmed() string { return strings.TrimSpace(c.value) }

func (c *cell) fail(reason string) { c.err = malformedError(reason) }

// ownID returns the identifier of the record itself, which may occur only once. It is empty in the
// placeholder row of an empty list.
func (c *cell) ownID() phi.Text {
	if c.hasID {
		c.fail("repeated")
	}
	c.hasID = true
	return c.id()
}

// typedID returns an identifier in a typed record, where 0 is .NET's "none".
func (c *cell) typedID() phi.Text {
	if c.trimmed() == "0" {
		return ""
	}
	return c.id()
}

// foreignID returns the identifier of another record, spelled like that record's own identifier. 0
// means none. A value that is not a number is kept: a request with it is rejected later, and the
// row is not lost.
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

// id returns "" or a positive 64-bit number; the vendor has no other identifiers.
func (c *cell) id() phi.Text {
	text := c.trimmed()
	if text != "" && !isIdentifier(text, 64) {
		c.fail("id")
		return ""
	}
	return phi.Text(text)
}

func (c *cell) time() time.Time { return c.moment().first }

// moment returns a time that may need another member of the row to be exact.
func (c *cell) moment() moment {
	m, ok := parseRowTime(c.value, c.zones)
	if !ok {
		c.fail("date")
	}
	return m
}

func (c *cell) date() phi.Text {
	date, ok := parseRowDate(c.value)
	if !ok {
		c.fail("date")
	}
	return phi.Text(date)
}

// looseBool reads the booleans of string rows, "True" and "False". Any other value is false, like
// an absent one.
func (c *cell) looseBool() bool {
	return strings.EqualFold(c.trimmed(), "true") || c.trimmed() == "1"
}

// strictBool reads an xs:boolean. Any other value except "" is an error.
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
