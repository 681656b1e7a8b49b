package mutation

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// rowSteps change rows. None of them breaks the envelope.
var rowSteps = []step{
	// The row still says the same.
	{name: "reorder members", apply: onRow(func(d *draft, r *row) { shuffle(d, r.cells) })},
	{name: "reorder rows", apply: func(d *draft) { shuffle(d, d.rows) }},
	{name: "double a row", apply: onRow(func(d *draft, r *row) { d.rows = slices.Insert(d.rows, d.choose(len(d.rows)+1), r.clone()) })},
	{name: "write a text as references", apply: onCell(func(_ *draft, _ *row, c *cell) { c.text = references(c.text) })},
	{name: "write a text as CDATA", apply: onCell(func(_ *draft, _ *row, c *cell) { c.text = cdata(c.text) })},
	{name: "add white space and a comment", apply: onRow(func(d *draft, r *row) { r.insert(d, "\r\n\t<!-- a comment -->\r\n") })},
	{name: "add an unknown member", apply: onRow(func(d *draft, r *row) { r.insert(d, "<Extra><ID>1</ID><Deep><er/></Deep></Extra>") })},
	{name: "put a text between rows", apply: onRow(func(d *draft, r *row) { r.after = strays[d.choose(len(strays))] })},
	{name: "corrupt the space between rows", apply: onRow(func(d *draft, r *row) { r.after = controls[d.choose(len(controls))] })},
	{name: "corrupt the space between members", apply: onRow(func(d *draft, r *row) { r.insert(d, controls[d.choose(len(controls))]) })},
	{name: "add an attribute", apply: onCell(func(_ *draft, _ *row, c *cell) { c.attributes = ` xml:space="preserve"` })},

	// The row is gone, or says something else.
	{name: "drop a row", apply: onRow(func(d *draft, r *row) { d.rows = slices.DeleteFunc(d.rows, func(o *row) bool { return o == r }) })},
	{name: "rename a row", apply: touching(func(_ *draft, r *row) { r.tag = "AppointmentDatum" })},
	{name: "move a row to another namespace", apply: touching(func(d *draft, r *row) { r.attr = ` xmlns="` + spaces[d.choose(len(spaces))] + `"` })},
	{name: "put a text between members", apply: touching(func(d *draft, r *row) { r.insert(d, strays[d.choose(len(strays))]) })},
	{name: "drop a member", apply: touchingCell(func(_ *draft, _ *row, c *cell) { *c = cell{bare: true} })},
	{name: "rename a member", apply: touchingCell(func(d *draft, r *row, c *cell) {
		c.name = cmp.Or(r.cells[d.choose(len(r.cells))].name, c.name) + "s"[:d.choose(2)] // inserted text has no name
	})},
	{name: "move a member to another namespace", apply: touchingCell(func(_ *draft, _ *row, c *cell) { c.attributes = ` xmlns="urn:other"` })},
	{name: "write a member as nil", apply: touchingCell(func(_ *draft, _ *row, c *cell) { *c = cell{name: c.name, attributes: ` i:nil="true"`} })},
	{name: "double a member", apply: touchingCell(func(_ *draft, r *row, c *cell) { r.cells = append(r.cells, *c) })},
	{name: "double a member with another text", apply: touchingCell(func(d *draft, r *row, c *cell) {
		r.cells = append(r.cells, cell{name: c.name, text: corruptions[d.choose(len(corruptions))]})
	})},
	{name: "corrupt a text", apply: touchingCell(corrupt)},
	{name: "corrupt a part of a text", apply: touchingCell(corruptPart)},
	{name: "exchange a member with another row's", apply: touchingCell(func(d *draft, _ *row, c *cell) {
		if other := d.pick().cell(c.name); other != nil {
			c.text = other.text
		}
	})},
	{name: "move a row to another practice", apply: touching(moveAway)},
}

// onRow, onCell, touching and touchingCell choose what a step is applied to; the latter two mark
// the row.
func onRow(change func(*draft, *row)) func(*draft) {
	return func(d *draft) {
		if r := d.pick(); r != nil {
			change(d, r)
		}
	}
}

func onCell(change func(*draft, *row, *cell)) func(*draft) {
	return func(d *draft) {
		if r, c := d.pickCell(); c != nil && !c.bare && c.attributes == "" {
			change(d, r, c)
		}
	}
}

func touching(change func(*draft, *row)) func(*draft) {
	return onRow(func(d *draft, r *row) {
		r.touched = true
		change(d, r)
	})
}

func touchingCell(change func(*draft, *row, *cell)) func(*draft) {
	return onCell(func(d *draft, r *row, c *cell) {
		r.touched = true
		change(d, r, c)
	})
}

func shuffle[E any](d *draft, s []E) {
	for i := len(s) - 1; i > 0; i-- {
		j := d.choose(i + 1)
		s[i], s[j] = s[j], s[i]
	}
}

// insert adds text between two members.
func (r *row) insert(d *draft, text string) {
	r.cells = slices.Insert(r.cells, d.choose(len(r.cells)+1), cell{text: text, bare: true})
}

// references writes each character of a text as a reference, unless it has markup or characters
// that references cannot state.
func references(text string) string {
	if strings.ContainsAny(text, "&<") || !ascii(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		fmt.Fprintf(&b, "&#x%X;", r)
	}
	return b.String()
}

// ascii reports whether a text has printable ASCII characters only.
func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' })
}

// cdata writes a text without references as CDATA.
func cdata(text string) string {
	if strings.ContainsAny(text, "&<>") {
		return text
	}
	return "<![CDATA[" + text + "]]>"
}

// corruptions are texts that no member should have.
var corruptions = []string{
	"", " ", "0", "-1", "NaN", "maybe", "unknown", "13/45/2026 99:99:99 XM", "2/30/2026 9:00:00 AM", "2/24/2026 13:00:00", "2026-02-24T25:00:00",
	"0001-01-01T00:00:00", "9999-12-31T23:59:59.9999999", "99999999999999999999", "1e309", strings.Repeat("9", 5000), strings.Repeat("long ", 30_000),
	"\v", "&#xB;", "&#0;", "&#x1F;", "&#xD800;", "&#xFFFFFFFF;", "\x00", "\x1f", "\xff\xfe", "caf\xe9", "\xed\xa0\x80", "&nbsp;", "&bogus;", "&", "& ", "&amp",
	"&lt;script&gt;", "\u202eright to left", "\ufeff", "\ufffe", "<b>bold</b>", "<ID>1</ID>", "]]>", "<![CDATA[<ID>2</ID>]]>", "<!-- nothing -->",
}

// strays are texts that have no place between elements.
var strays = []string{"x", " 1 ", "2/24/2026", "&amp;", "&#x41;", "<![CDATA[x]]>", "\ufeff", "\u00a0", "]]&gt;"}

// controls are characters that XML does not allow, where there should be white space.
var controls = []string{"&#xB;", "&#0;", " &#x1F;\n", "\v", "\x00", "\xff", "<![CDATA[\v]]>"}

// spaces are namespaces that the rows do not have.
var spaces = []string{"urn:other", "http://www.kareo.com/api/schemas", ""}

func corrupt(d *draft, _ *row, c *cell) { c.text = corruptions[d.choose(len(corruptions))] }

// corruptPart inserts a corruption into a text, outside its references.
func corruptPart(d *draft, _ *row, c *cell) {
	at := d.choose(len(c.text) + 1)
	if strings.ContainsAny(c.text, "&<") {
		at = 0
	}
	c.text = c.text[:at] + corruptions[d.choose(len(corruptions))] + c.text[at:]
}

// moveAway makes a row the only one with its ID, and one of another practice.
func moveAway(d *draft, r *row) {
	d.moved++
	practice := strconv.Itoa([]int{2, 99}[d.choose(2)])
	r.foreign, r.tag, r.attr = true, item, ""
	r.id = foreignIDs + strconv.Itoa(d.moved)
	r.set("ID", r.id)
	r.set("PracticeID", practice)
	r.set("PracticeName", "Practice "+practice)
}

// foreignIDs begins the IDs of rows of another practice.
const foreignIDs = "77700"
