package mutation

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
)

const item = "AppointmentData"

// draft is a response that is being changed.
type draft struct {
	before, after string // the texts before the first row and after the last
	rows          []*row
	recode        []func([]byte) []byte // changes of the finished text
	moved         int                   // rows of another practice
	choose        Choose
}

// row is a row of the list.
type row struct {
	id      string
	tag     string
	attr    string // the attribute of the tag; begins with a space, or is empty
	cells   []cell
	after   string // the text between this row and the next
	touched bool   // it may say something else than before
	foreign bool   // it belongs to another practice; it is not changed any more
}

// cell is a member of a row. Its text is as written, with references.
type cell struct {
	name, text string
	attributes string // begins with a space, or is empty
	bare       bool   // written without tags
}

var cellPattern = regexp.MustCompile(`<(\w+)>([^<]*)</\w+>`)

func parse(body string) *draft {
	d := &draft{}
	parts := strings.SplitAfter(body, "</"+item+">")
	var first string
	d.before, first, _ = strings.Cut(parts[0], "<"+item+">")
	parts[0] = first
	last := len(parts) - 1
	d.after = parts[last]
	for _, text := range parts[:last] {
		r := &row{tag: item}
		for _, m := range cellPattern.FindAllStringSubmatch(text, -1) {
			r.cells = append(r.cells, cell{name: m[1], text: m[2]})
			if m[1] == "ID" {
				r.id = m[2]
			}
		}
		d.rows = append(d.rows, r)
	}
	return d
}

func (d *draft) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(d.before)
	for _, r := range d.rows {
		r.write(&b)
	}
	b.WriteString(d.after)
	text := b.Bytes()
	for _, recode := range d.recode {
		text = recode(text)
	}
	return text
}

func (r *row) write(b *bytes.Buffer) {
	b.WriteString("<" + r.tag + r.attr + ">")
	for _, c := range r.cells {
		if c.bare {
			b.WriteString(c.text)
			continue
		}
		b.WriteString("<" + c.name + c.attributes + ">" + c.text + "</" + c.name + ">")
	}
	b.WriteString("</" + r.tag + ">" + r.after)
}

// pick chooses a row that may be changed, or returns nil if there is none.
func (d *draft) pick() *row {
	var free []*row
	for _, r := range d.rows {
		if !r.foreign {
			free = append(free, r)
		}
	}
	if len(free) == 0 {
		return nil
	}
	return free[d.choose(len(free))]
}

// pickCell chooses a member of a row, half of the time one that decides what becomes of the row. It
// returns nils if there is none.
func (d *draft) pickCell() (*row, *cell) {
	r := d.pick()
	if r == nil || len(r.cells) == 0 {
		return nil, nil
	}
	if d.choose(2) == 0 {
		if c := r.cell(decisive[d.choose(len(decisive))]); c != nil {
			return r, c
		}
	}
	return r, &r.cells[d.choose(len(r.cells))]
}

// decisive are the members that decide whether and where a row is shown.
var decisive = []string{
	"ID", "StartDate", "EndDate", "PracticeID", "PatientID", "AllDay", "Recurring", "LastModifiedDate", "ConfirmationStatus", "AppointmentDuration",
}

// cell returns the first member of this name, or nil.
func (r *row) cell(name string) *cell {
	for i := range r.cells {
		if r.cells[i].name == name && !r.cells[i].bare {
			return &r.cells[i]
		}
	}
	return nil
}

// set makes a text the only member of this name.
func (r *row) set(name, text string) {
	r.cells = slices.DeleteFunc(r.cells, func(c cell) bool { return c.name == name })
	r.cells = append(r.cells, cell{name: name, text: text})
}

func (r *row) clone() *row {
	copied := *r
	copied.cells = slices.Clone(r.cells)
	return &copied
}
