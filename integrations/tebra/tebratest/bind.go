package tebratest

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// node is an element of a request.
type node struct {
	name     xml.Name
	text     strings.Builder
	isNil    bool
	children []*node
}

// maxNodes limits a request. The largest real one, a batch of external identifiers, has a few
// thousand elements.
const maxNodes = 100_000

// parse reads a document into a tree.
func parse(r io.Reader) (*node, error) {
	dec := xml.NewDecoder(io.LimitReader(r, 4<<20))
	root := &node{}
	stack := []*node{root}
	for nodes := 0; ; {
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
			if nodes++; nodes > maxNodes || len(stack) > 64 {
				return nil, errors.New("too large")
			}
			child := &node{name: t.Name}
			for _, a := range t.Attr {
				child.isNil = child.isNil || a.Name == (xml.Name{Space: nsXSI, Local: "nil"}) && isTrue(a.Value)
			}
			top.children = append(top.children, child)
			stack = append(stack, child)
		case xml.EndElement:
			stack = stack[:len(stack)-1]
		case xml.CharData:
			top.text.Write(t)
		}
	}
	if len(root.children) != 1 {
		return nil, errors.New("not exactly one root element")
	}
	return root.children[0], nil
}

// message is a request as the vendor's deserializer reads it: the members found in order. A member
// is a string, a message, a list of these, or nilValue.
type message map[string]any

// nilValue is a member that is nil.
type nilValue struct{}

func (m message) text(name string) string { s, _ := m[name].(string); return strings.TrimSpace(s) }

// is reports whether a boolean member is present and true.
func (m message) is(name string) bool { return isTrue(m.text(name)) }

// isTrue parses a boolean whose syntax has been checked, or an attribute.
func isTrue(text string) bool { return text == "true" || text == "1" }

func (m message) object(name string) (message, bool) { o, ok := m[name].(message); return o, ok }

// list returns the items of a list member.
func (m message) list(name string) []any { l, _ := m[name].([]any); return l }

// has reports whether the member is present, even if it is nil.
func (m message) has(name string) bool { _, ok := m[name]; return ok }

// bind reads the members of n as .NET's DataContractSerializer does: it searches only forward from
// the last match and silently skips other elements. It returns an error if a required member is
// skipped or missing at the end, or if a value cannot be parsed.
func bind(n *node, t *typ) (message, error) {
	m := message{}
	at := 0
	for _, child := range n.children {
		i := at
		for i < len(t.members) && !t.members[i].matches(child.name) {
			i++
		}
		if i == len(t.members) {
			continue
		}
		if err := checkSkipped(child, t.members[at:i]); err != nil {
			return nil, err
		}
		at = i + 1
		value, err := t.members[i].read(child)
		if err != nil {
			return nil, err
		}
		m[t.members[i].name] = value
	}
	return m, checkSkipped(n, t.members[at:])
}

func (m member) matches(name xml.Name) bool { return name.Local == m.name && name.Space == m.uri }

func checkSkipped(at *node, skipped []member) error {
	var names []string
	for _, p := range skipped {
		names = append(names, p.name)
		if p.required {
			return deserializeError("'Element' '" + at.name.Local + "' from namespace '" + at.name.Space +
				"' is not expected. Expecting element '" + strings.Join(names, " | ") + "'.")
		}
	}
	return nil
}

func (m member) read(n *node) (any, error) {
	if n.isNil {
		if !m.nullable && (m.typ == nil || m.typ.values != nil) {
			return nil, deserializeError("The value '' cannot be parsed as the type '" + m.dotNetName() + "'.")
		}
		return nilValue{}, nil
	}
	text := n.text.String()
	switch item, isList := m.typ.item(); {
	case m.typ == nil:
		return text, m.check(strings.TrimSpace(text))
	case m.typ.values != nil:
		if !slices.Contains(m.typ.enumValues(), strings.TrimSpace(text)) {
			return nil, deserializeError("Invalid enum value '" + text + "' cannot be deserialized into type '" + m.typ.name + "'.")
		}
		return text, nil
	case isList:
		all := []any{}
		for _, child := range n.children {
			if !item.matches(child.name) {
				continue
			}
			value, err := item.read(child)
			if err != nil {
				return nil, err
			}
			all = append(all, value)
		}
		return all, nil
	}
	return bind(n, m.typ)
}

// check reports whether value is valid for the member's simple type.
func (m member) check(value string) error {
	ok := true
	switch m.builtin {
	case "boolean":
		ok = slices.Contains([]string{"true", "false", "1", "0"}, value)
	case "int":
		_, err := strconv.ParseInt(value, 10, 32)
		ok = err == nil
	case "long":
		_, err := strconv.ParseInt(value, 10, 64)
		ok = err == nil
	case "double":
		_, err := strconv.ParseFloat(value, 64)
		ok = err == nil
	case "dateTime":
		_, ok = typedTime(value, time.UTC)
	case "guid":
		ok = guid.MatchString(value)
	}
	if !ok {
		return deserializeError(fmt.Sprintf("The value '%s' cannot be parsed as the type '%s'.", value, m.dotNetName()))
	}
	return nil
}

// guidPattern is the pattern in .NET's own schema.
const guidPattern = `[\da-fA-F]{8}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{4}-[\da-fA-F]{12}`

var guid = regexp.MustCompile("^" + guidPattern + "$")

// typeNames are .NET's names of the simple types.
var typeNames = map[string]string{
	"boolean": "Boolean", "int": "Int32", "long": "Int64", "double": "Double", "dateTime": "DateTime", "guid": "Guid",
}

// dotNetName returns .NET's name of the member's type.
func (m member) dotNetName() string {
	if m.typ != nil {
		return m.typ.name
	}
	return typeNames[m.builtin]
}

// typedTime parses an xs:dateTime. A time without a zone is in zone.
func typedTime(text string, zone *time.Location) (time.Time, bool) {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999"} {
		if t, err := time.ParseInLocation(layout, text, zone); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// deserializeError is the error text of the vendor's formatter.
type deserializeError string

func (e deserializeError) Error() string { return string(e) }
