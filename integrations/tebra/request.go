package tebra

import (
	"bytes"
	"encoding/xml"
	"errors"
	"strings"
	"unicode/utf8"
)

// Namespaces of the contract. nsKareo and nsBare differ only in a slash: the own members of
// GetServiceLocations and GetProcedureCodes are in nsBare, and the members they share with other
// operations are in nsKareo.
const (
	nsKareo  = "http://www.kareo.com/api/schemas/"
	nsBare   = "http://www.kareo.com/api/schemas"
	nsSOAP   = "http://schemas.xmlsoap.org/soap/envelope/"
	nsArrays = "http://schemas.microsoft.com/2003/10/Serialization/Arrays"
	nsSystem = "http://schemas.datacontract.org/2004/07/System"
	nsXSI    = "http://www.w3.org/2001/XMLSchema-instance"
)

// errUnwritable reports a value with characters that XML cannot represent.
var errUnwritable = errors.New("value is not writable as XML")

// writer writes elements in the order of its calls. It does not sort: the vendor reads members in
// the order of its schema and silently drops the others, so the calling code determines the order
// and the golden requests verify it.
type writer struct {
	buf        bytes.Buffer
	prefix     string // prefix of the current namespace, with its colon
	unwritable bool   // a value contains characters that XML cannot represent
}

// member is an element that contains text.
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

// optional writes a member unless its value is empty.
func (w *writer) optional(name, value string) {
	if value != "" {
		w.text(name, value)
	}
}

// nilElement writes a member as nil, which is different from leaving it out.
func (w *writer) nilElement(name string) {
	w.buf.WriteString("<" + w.prefix + name + ` i:nil="true"/>`)
}

// element writes an element with the content that fn writes.
func (w *writer) element(name string, fn func()) {
	w.open(name)
	fn()
	w.close(name)
}

// group writes an element with those members that have a value. The vendor requires some groups
// even when they are empty.
func (w *writer) group(name string, members ...member) {
	w.element(name, func() {
		for _, m := range members {
			w.optional(m.name, m.value)
		}
	})
}

// filter writes the two members of every filtered read. Fields stays empty, which requests all
// columns: several integrators report that the vendor returns a single empty row if any column is
// named. Filter is sent even without members, because its absence causes a null reference error.
func (w *writer) filter(members ...member) {
	w.empty("Fields")
	w.group("Filter", members...)
}

// encode returns the complete request. User comes after Password because that is the order of the
// schema; in the other order the vendor drops the password and the login fails.
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

// isXMLText reports whether XML 1.0 can represent s. Escaping would replace other characters by
// U+FFFD, and the request would then name a different record.
func isXMLText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !isXMLRune(r) })
}
