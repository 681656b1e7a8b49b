package tebra

import "github.com/workflow-bolt/rounds/internal/phi"

// Change says what a write does to one member of a record. The zero Change leaves it alone: the member is not sent.
type Change struct {
	value phi.Text
	clear bool
}

// Set gives the member a value. An empty one is Clear.
func Set(value phi.Text) Change { return Change{value: value, clear: value == ""} }

// Clear means to empty the member: it is sent as nil. That the vendor takes nil for "empty it" and absence for "leave it" is
// assumed.
func Clear() Change { return Change{clear: true} }

// write sends what the change says.
func (c Change) write(w *writer, name string) {
	switch {
	case c.clear:
		w.nilElement(name)
	case c.value != "":
		w.text(name, c.value.Reveal())
	}
}

// items writes an array, whose items are in a namespace of their own. An empty one is left out.
func (w *writer) items(name, ns, item string, values []string) {
	if len(values) == 0 {
		return
	}
	outer := w.prefix
	w.buf.WriteString("<" + outer + name + ` xmlns:a="` + ns + `">`)
	w.prefix = "a:"
	for _, v := range values {
		w.text(item, v)
	}
	w.prefix = outer
	w.close(name)
}
