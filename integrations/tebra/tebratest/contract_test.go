package tebratest

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

func TestEveryOperationIsImplemented(t *testing.T) {
	t.Parallel()
	var supported []string
	for _, op := range tebra.Operations() {
		supported = append(supported, op.Name)
	}
	for _, m := range contract.operations {
		if operations[m.name] == nil {
			t.Errorf("%s is in the contract, but the simulator does not implement it", m.name)
		}
		if !slices.Contains(supported, m.name) {
			t.Errorf("%s is in the contract, but the client does not support it", m.name)
		}
	}
	if len(operations) != len(contract.operations) || len(supported) != len(operations) {
		t.Errorf("%d operations in the simulator, %d in the client, %d in the contract", len(operations), len(supported), len(contract.operations))
	}
}

// The vendor sorts the members of every type by name, members of the base first.
func TestMembersOfTheContractAreInOrder(t *testing.T) {
	t.Parallel()
	for _, typ := range contract.types {
		var names []string
		for _, p := range typ.ownMembers() {
			names = append(names, p.name)
		}
		if !slices.IsSorted(names) {
			t.Errorf("%s is out of order: %v", typ.name, names)
		}
	}
	if len(contract.types) < 70 {
		t.Errorf("only %d types", len(contract.types))
	}
}

func TestSimpleTypes(t *testing.T) {
	t.Parallel()
	for builtin, tt := range map[string]struct{ good, bad string }{
		"boolean":  {"true false 1 0", "True yes 2 -"},
		"int":      {"0 -2147483648 2147483647", "2147483648 1.0 x 0x1"},
		"long":     {"9223372036854775807", "9223372036854775808"},
		"double":   {"1 1.5 1e3", "x 1,5"},
		"dateTime": {"2026-02-24T08:00:00 2026-02-24T08:00:00Z 2026-02-24T08:00:00.123-06:00", "2/24/2026 8:00 2026-02-30T08:00:00"},
		"guid":     {"01234567-89ab-cdef-0123-456789ABCDEF", "0123456789abcdef0123456789abcdef0123 g1234567-89ab-cdef-0123-456789ABCDEF"},
		"string":   {"anything", ""},
	} {
		p := member{builtin: builtin}
		for value := range strings.FieldsSeq(tt.good) {
			if err := p.check(value); err != nil {
				t.Errorf("%s: %v", builtin, err)
			}
		}
		for value := range strings.FieldsSeq(tt.bad) {
			if p.check(value) == nil {
				t.Errorf("%s: %q is accepted", builtin, value)
			}
		}
	}
}

// A response must be able to leave out any member. A complex member that can be neither nil nor
// omitted could not be left out.
func TestEveryMemberCanBeAbsent(t *testing.T) {
	t.Parallel()
	for _, of := range contract.types {
		for _, p := range of.ownMembers() {
			if p.typ != nil && p.typ.values == nil && !p.nullable && !p.omitted {
				t.Errorf("%s of %s", p.name, of.name)
			}
			if p.nullable || p.omitted || p.typ != nil {
				continue
			}
			if err := p.check(p.zero()); err != nil {
				t.Errorf("%s of %s: %v", p.name, of.name, err)
			}
		}
	}
}

func TestInvalidContracts(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"member outside a type": "  string : A",
		"no namespace":          "type x:A",
		"unknown base":          "ns : u\ntype A : B",
		"no names":              "ns : u\ntype A\n  string",
		"unknown type of names": "ns : u\ntype A\n  boolean : *B",
		"unknown request type":  "op A request B C",
	} {
		if _, err := parseContract(text); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// Requests and responses contain only members of the contract, in its order, so a forward-only
// reader skips nothing.
func TestCaptureFollowsTheContract(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := Capture(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, m := range contract.operations {
		for side, path := range map[string][]string{"request": {m.name, m.parameter}, "response": {m.name + "Response", m.name + "Result"}} {
			f, err := os.Open(filepath.Join(dir, m.name+"."+side+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			root, err := parse(f)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
			n := root.children[0]
			for _, name := range path {
				if n = n.children[0]; n.name != (xml.Name{Space: nsKareo, Local: name}) {
					t.Fatalf("%s %s contains %v", m.name, side, n.name)
				}
			}
			checkStrict(t, m.name+" "+side, n, map[string]*typ{"request": m.in, "response": m.out}[side])
		}
	}
}

func checkStrict(t *testing.T, where string, n *node, of *typ) {
	t.Helper()
	at := 0
	for _, child := range n.children {
		i := slices.IndexFunc(of.members[at:], func(p member) bool { return p.matches(child.name) })
		if i < 0 {
			t.Errorf("%s: %v of %s is out of order or unknown", where, child.name, of.name)
			return
		}
		p := of.members[at+i]
		if !p.repeated {
			at += i + 1
		}
		switch {
		case child.isNil && !p.nullable:
			t.Errorf("%s: %s of %s must not be nil", where, p.name, of.name)
		case child.isNil, p.typ != nil && len(p.typ.values) > 0:
		case p.typ != nil:
			checkStrict(t, where, child, p.typ)
		default:
			if err := p.check(strings.TrimSpace(child.text.String())); err != nil {
				t.Errorf("%s: %s of %s: %v", where, p.name, of.name, err)
			}
		}
	}
}

func TestWSDL(t *testing.T) {
	t.Parallel()
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	host := "sim.example.test"
	get := func(query string) (int, string) {
		w := httptest.NewRecorder()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://sim"+Path+query, nil)
		r.Host = host
		s.ServeHTTP(w, r)
		body, _ := io.ReadAll(w.Body)
		return w.Code, string(body)
	}
	for query, holds := range map[string]string{
		"?wsdl": `location="http://sim.example.test` + Path + `?wsdl=wsdl0"`, "?wsdl=wsdl0": `soapAction="http://www.kareo.com/api/schemas/KareoServices/GetPatient"`,
		"?singleWsdl": `<soap:address location="http://sim.example.test` + Path + `"/>`, "?xsd=xsd0": `<xs:complexType name="PatientData">`,
		"?xsd=xsd1": `targetNamespace="http://www.kareo.com/api/schemas"`, "?xsd=xsd6": `<xs:simpleType name="guid">`,
	} {
		code, body := get(query)
		if code != 200 || !strings.Contains(body, holds) {
			t.Errorf("%s: %d without %s", query, code, holds)
		}
		if err := xml.Unmarshal([]byte(body), new(struct{})); err != nil {
			t.Errorf("%s is not XML: %v", query, err)
		}
	}
	for _, query := range []string{"", "?xsd=xsd99", "?xsd=xsd-1", "?xsd=x", "?xsd=0", "?wsdl=wsdl1", "?disco"} {
		if code, _ := get(query); code != 404 {
			t.Errorf("%q: %d, want 404", query, code)
		}
	}
	w := httptest.NewRecorder()
	if s.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "HEAD", Path+"?wsdl", nil)); w.Code != 400 {
		t.Errorf("HEAD: %d, want the vendor's 400", w.Code)
	}
	_, text := get("?singleWsdl")
	host = "a&b'<c"
	if _, body := get("?wsdl"); !strings.Contains(body, "http://a&amp;b&#39;&lt;c"+Path+"?xsd=xsd0") {
		t.Error("the host is not escaped")
	}
	for _, m := range contract.operations {
		if !strings.Contains(text, `<wsdl:operation name="`+m.name+`">`) || !strings.Contains(text, `<xs:element name="`+m.name+`Response">`) {
			t.Errorf("%s is not described", m.name)
		}
	}
}
