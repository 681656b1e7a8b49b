package tebratest

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed contract.txt
var contractText string

// schema is the contract: the content of the vendor's WSDL as data. It is immutable after parsing.
type schema struct {
	namespaces []namespace // the vendor's own namespace first
	operations []*method   // in the order of the contract
	byName     map[string]*method
	types      []*typ // in the order of the contract
}

type namespace struct{ prefix, uri string }

// method is an operation of the contract.
type method struct {
	name      string
	parameter string // the element around the request's members
	in, out   *typ
}

// hasHeader reports whether requests have a header and responses have an error and a security part.
func (m *method) hasHeader() bool { return m.in.base != nil }

// typ is a complex type or an enumeration.
type typ struct {
	uri     string
	name    string
	base    *typ
	members []member // with those of base first
	values  []string // of an enumeration
}

// member is a member of a type.
type member struct {
	name     string
	builtin  string // an XML Schema type, or "guid"; "" if typ is set
	typ      *typ
	uri      string // namespace of the type that declares it
	required bool
	nullable bool
	omitted  bool // left out if null, instead of written as nil
	repeated bool
}

// item returns the repeated member if t is a list.
func (t *typ) item() (member, bool) {
	if t != nil && len(t.members) == 1 && t.members[0].repeated {
		return t.members[0], true
	}
	return member{}, false
}

// ownMembers returns the members that t adds to its base.
func (t *typ) ownMembers() []member {
	if t.base == nil {
		return t.members
	}
	return t.members[len(t.base.members):]
}

// contract is the contract that the simulator implements.
var contract = mustParse(contractText)

func mustParse(text string) *schema {
	s, err := parseContract(text)
	if err != nil {
		panic(err) // the text is part of the program
	}
	return s
}

// contractParser parses the notation described in contract.txt.
type contractParser struct {
	schema   schema
	types    map[string]*typ
	current  *typ   // the type whose members are being parsed
	template member // flags and type of the members on the current line
}

func parseContract(text string) (*schema, error) {
	p := contractParser{schema: schema{byName: map[string]*method{}}, types: map[string]*typ{}}
	var operations [][]string
	for i, line := range strings.Split(text, "\n") {
		words := strings.Fields(line)
		var err error
		switch {
		case len(words) == 0, words[0] == "#":
		case words[0] == "op" && len(words) == 5:
			operations = append(operations, words[1:])
		default:
			err = p.line(line, words)
		}
		if err != nil {
			return nil, fmt.Errorf("contract, line %d: %w", i+1, err)
		}
	}
	for _, words := range operations {
		m := &method{name: words[0], parameter: words[1], in: p.types[words[2]], out: p.types[words[3]]}
		if m.in == nil || m.out == nil {
			return nil, fmt.Errorf("contract: %s has an unknown type", m.name)
		}
		p.schema.operations = append(p.schema.operations, m)
		p.schema.byName[m.name] = m
	}
	return &p.schema, nil
}

func (p *contractParser) line(line string, words []string) error {
	switch {
	case words[0] == "ns":
		prefix, uri, _ := strings.Cut(strings.TrimPrefix(line, "ns "), ": ")
		p.schema.namespaces = append(p.schema.namespaces, namespace{prefix, uri})
		return nil
	case words[0] == "type", words[0] == "enum":
		return p.declare(words)
	case p.current == nil:
		return fmt.Errorf("%q is outside a type", words[0])
	case strings.HasPrefix(line, "    ") && p.current.values != nil:
		p.current.values = append(p.current.values, words...)
		return nil
	case strings.HasPrefix(line, "    "):
		return p.members(words)
	}
	colon := slices.Index(words, ":")
	if colon < 1 {
		return fmt.Errorf("no names after %q", words[0])
	}
	p.template = member{}
	if t, ok := p.types[words[0]]; ok {
		p.template.typ = t
	} else {
		p.template.builtin = words[0]
	}
	if colon == 2 {
		for flag := range strings.SplitSeq(words[1], ",") {
			p.template.required = p.template.required || flag == "req"
			p.template.nullable = p.template.nullable || flag == "nil"
			p.template.omitted = p.template.omitted || flag == "omit"
			p.template.repeated = p.template.repeated || flag == "many"
		}
	}
	return p.members(words[colon+1:])
}

func (p *contractParser) declare(words []string) error {
	prefix, name, found := strings.Cut(words[1], ":")
	if !found {
		prefix, name = "", words[1]
	}
	t := &typ{name: name}
	for _, n := range p.schema.namespaces {
		if n.prefix == prefix {
			t.uri = n.uri
		}
	}
	switch {
	case t.uri == "":
		return fmt.Errorf("%s has an unknown namespace", words[1])
	case words[0] == "enum":
		t.values = slices.Clone(words[3:])
	case len(words) == 4:
		if t.base = p.types[words[3]]; t.base == nil {
			return fmt.Errorf("%s has an unknown base", words[1])
		}
		t.members = slices.Clone(t.base.members)
	}
	p.current, p.types[words[1]] = t, t
	p.schema.types = append(p.schema.types, t)
	return nil
}

// members adds members with the given names; *TYPE stands for all names in TYPE.
func (p *contractParser) members(names []string) error {
	for _, name := range names {
		if other, found := strings.CutPrefix(name, "*"); found {
			t := p.types[other]
			if t == nil {
				return fmt.Errorf("unknown type %s", other)
			}
			for _, m := range t.ownMembers() {
				p.add(m.name)
			}
			continue
		}
		p.add(name)
	}
	return nil
}

func (p *contractParser) add(name string) {
	m := p.template
	m.name, m.uri = name, p.current.uri
	p.current.members = append(p.current.members, m)
}

// enumValues returns the values of an enumeration without their numbers.
func (t *typ) enumValues() []string {
	all := make([]string, len(t.values))
	for i, v := range t.values {
		all[i], _, _ = strings.Cut(v, "=")
	}
	return all
}
