package tebra

import (
	"bytes"
	"encoding/xml"
	"errors"
	"unicode/utf8"
)

// Namespaces of the contract. Two of them differ by a slash: GetServiceLocations and GetProcedureCodes have their own
// members in the bare one, and what they share with the others in the usual one.
const (
	nsKareo  = "http://www.kareo.com/api/schemas/"
	nsBare   = "http://www.kareo.com/api/schemas"
	nsSOAP   = "http://schemas.xmlsoap.org/soap/envelope/"
	nsArrays = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
	nsSystem = "http://schemas.datacontract.org/2004/07/System"
	nsXSI    = "http://www.w3.org/2001/XMLSchema-instance"
)

// errUnwritable says that a value holds what XML cannot carry.
var errUnwritable = errors.New("value is not writable as XML")

// writer puts elements one after another. It does not sort: the vendor reads members in the order of its schema and drops
// the others without a word, so the order stands in the code that calls it and the golden requests hold it.
type writer struct {
	buf        bytes.Buffer
	prefix     string // of the namespace that elements are in, with its colon
	unwritable bool   // a value could not be written as it is
}

// member is one element with text.
type member struct{ name, value string }

func (w *writer) open(name string)  { w.buf.WriteString("<" + w.prefix + name + ">") }
func (w *writer) close(name string) { w.buf.WriteString("</" + w.prefix + name + ">") }
func (w *writer) empty(name string) { w.buf.WriteString("<" + w.prefix + name + "/>") }

func (w *writer) text(name, value string) {
	w.unwritable = w.unwritable || !isXMLText(value)
	w.open(name)
	_ = xml.EscapeText(&w.buf, []byte(value)) // a bytes.Buffer never fails
	w.close(name)
}

// some writes a member that has a value, and leaves out one that has none.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// null writes a member that says "none", which is another thing than leaving it out.
func (w *writer) nilElement(name string) {
	w.buf.WriteString("<" + w.prefix + name + ` i:nil="true"/>`)
}

// inside writes name around what fn writes.
func (w *writer) element(name string, fn func()) {
	w.open(name)
	fn()
	w.close(name)
}

// group writes name with those members that have a value. The vendor wants some groups even when they are empty.
func (w *writer) group(name string, members ...member) {
	w.element(name, func() {
		for _, m := range members {
			w.optional(m.name, m.value)
		}
	})
}

// list writes the two members of every filtered read. Fields stays empty, which means all of them: naming some makes the
// vendor answer with one empty row, in the experience of several integrators. Filter is sent even without members:
// its absence is a null reference over there.
func (w *writer) filter(members ...member) {
	w.empty("Fields")
	w.group("Filter", members...)
}

// encode returns the whole request. User comes after Password because that is the order of the schema; the other way
// round the password is dropped and a good login fails.
func encode(op *Operation, cred Credentials, body func(*writer)) ([]byte, error) {
	w := writer{prefix: "k:"}
	w.buf.WriteString(xml.Header + `<s:Envelope xmlns:s="` + nsSOAP + `" xmlns:k="` + nsKareo + `"`)
	if op.bare {
		w.buf.WriteString(` xmlns:n="` + nsBare + `"`)
	}
	if op.nullable {
		w.buf.WriteString(` xmlns:i="` + nsXSI + `"`)
	}
	w.buf.WriteString(`><s:Body>`)
	w.open(op.Name)
	w.open(op.wrapper())
	header := []member{
		{"CustomerKey", cred.CustomerKey.Reveal()}, {"Password", cred.Password.Reveal()}, {"User", cred.User.Reveal()},
	}
	if op.headerless {
		for _, m := range header {
			w.text(m.name, m.value)
		}
	} else {
		w.group("RequestHeader", header...)
	}
	if body != nil {
		if op.bare {
			w.prefix = "n:"
		}
		body(&w)
		w.prefix = "k:"
	}
	w.close(op.wrapper())
	w.close(op.Name)
	w.buf.WriteString(`</s:Body></s:Envelope>`)
	if w.unwritable {
		return nil, errUnwritable
	}
	return w.buf.Bytes(), nil
}

// writable reports whether s is text that XML 1.0 can carry. Escaping would replace the rest by U+FFFD, and so ask the
// vendor about somebody else.
func isXMLText(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		ok := r == '\t' || r == '\n' || r == '\r' || r >= 0x20 && r <= 0xD7FF ||
			r >= 0xE000 && r <= 0xFFFD || r >= 0x10000
		if !ok {
			return false
		}
	}
	return true
}
