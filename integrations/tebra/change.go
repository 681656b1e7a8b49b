package tebra

import "github.com/workflow-bolt/rounds/internal/phi"

// Change describes what a write does to one member of a record. The zero Change leaves the member
// unchanged: it is not sent.
type Change struct {
	value phi.Text
	clear bool
}

// Set returns the Change that sets the member to value. Set("") is the same as Clear.
func Set(value phi.Text) Change { return Change{value: value, clear: value == ""} }

// Clear returns the Change that clears the member by sending nil. That the vendor clears a nil
// member, and leaves an absent one unchanged, is assumed.
func Clear() Change { return Change{clear: true} }

// write writes the member unless it is left unchanged.
func (c Change) write(w *writer, name string) {
	switch {
	case c.clear:
		w.nilElement(name)
	case c.value != "":
		w.text(name, c.value.Reveal())
	}
}

// items writes an array whose items are in another namespace. An empty array is left out.
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
