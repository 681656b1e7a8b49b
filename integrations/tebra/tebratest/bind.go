package tebratest

import (
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
)

const (
	nsKareo = "http://www.kareo.com/api/schemas/"
	nsSOAP  = "http://schemas.xmlsoap.org/soap/envelope/"
	nsXSI   = "http://www.w3.org/2001/XMLSchema-instance"
)

// node is one element of a request.
type node struct {
	name     xml.Name
	text     string
	isNil    bool
	children []*node
}

// parse reads one document into a tree. Requests are small: four levels of a few members.
func parse(r io.Reader) (*node, error) {
	dec := xml.NewDecoder(io.LimitReader(r, 4<<20))
	root := &node{}
	stack := []*node{root}
	for {
		tok, err := dec.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		top := stack[len(stack)-1]
		switch t := tok.(type) {
		case xml.StartElement:
			child := &node{name: t.Name}
			for _, a := range t.Attr {
				child.isNil = child.isNil || a.Name.Space == nsXSI && a.Name.Local == "nil" && a.Value == "true"
			}
			top.children = append(top.children, child)
			stack = append(stack, child)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text += string(t)
		}
	}
	if len(root.children) != 1 {
		return nil, errors.New("not one document")
	}
	return root.children[0], nil
}

// kind is how the deserializer reads a member's text.
type kind int

const (
	text kind = iota
	boolean
	integer
	object
)

// field is one member of a type, in the order of the schema.
type field struct {
	name     string
	kind     kind
	required bool
	ns       string  // "" is nsKareo
	fields   []field // of an object
}

// message is a request as the vendor's deserializer sees it: the members that it found in order.
type message map[string]any // string, or message

func (m message) text(name string) string { s, _ := m[name].(string); return strings.TrimSpace(s) }

func (m message) object(name string) (message, bool) { o, ok := m[name].(message); return o, ok }

// bind reads the members of n the way .NET's DataContractSerializer does: it looks only forward from the last match and
// skips what it does not find there, without a word; only a required member that is jumped over or missing at the end is
// an error. A value that does not parse is one, too.
func bind(n *node, fields []field) (message, error) {
	m := message{}
	at := 0
	for _, child := range n.children {
		i := at
		for i < len(fields) && !fields[i].is(child.name) {
			i++
		}
		if i == len(fields) {
			continue
		}
		if err := missing(child, fields[at:i]); err != nil {
			return nil, err
		}
		at = i + 1
		if child.isNil {
			continue
		}
		value, err := fields[i].read(child)
		if err != nil {
			return nil, err
		}
		m[fields[i].name] = value
	}
	return m, missing(n, fields[at:])
}

func (f field) is(name xml.Name) bool {
	ns := f.ns
	if ns == "" {
		ns = nsKareo
	}
	return name.Local == f.name && name.Space == ns
}

func missing(at *node, skipped []field) error {
	var names []string
	for _, f := range skipped {
		names = append(names, f.name)
		if f.required {
			return deserializeError("'Element' '" + at.name.Local + "' from namespace '" + at.name.Space +
				"' is not expected. Expecting element '" + strings.Join(names, " | ") + "'.")
		}
	}
	return nil
}

func (f field) read(n *node) (any, error) {
	value := strings.TrimSpace(n.text)
	switch f.kind {
	case boolean:
		if value != "true" && value != "false" && value != "1" && value != "0" {
			return nil, deserializeError("The value '" + value + "' cannot be parsed as the type 'Boolean'.")
		}
	case integer:
		if _, err := strconv.ParseInt(value, 10, 32); err != nil {
			return nil, deserializeError("The value '" + value + "' cannot be parsed as the type 'Int32'.")
		}
	case object:
		return bind(n, f.fields)
	}
	return n.text, nil
}

// deserializeError is what the vendor's formatter complains about.
type deserializeError string

func (e deserializeError) Error() string { return string(e) }
