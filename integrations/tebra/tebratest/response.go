package tebratest

import (
	"bytes"
	"encoding/xml"
	"iter"
	"maps"
	"slices"
	"strconv"
)

const (
	nsKareo      = "http://www.kareo.com/api/schemas/"
	nsSOAP       = "http://schemas.xmlsoap.org/soap/envelope/"
	nsXSI        = "http://www.w3.org/2001/XMLSchema-instance"
	nsDispatcher = "http://schemas.microsoft.com/net/2005/12/windowscommunicationfoundation/dispatcher"
	nsAddressing = "http://schemas.microsoft.com/ws/2005/05/addressing/none"

	textInternal = "The server was unable to process the request due to an internal error."
	textFormat   = "The formatter threw an exception while trying to deserialize the message: There was an error while " +
		"trying to deserialize parameter http://www.kareo.com/api/schemas/:request. The InnerException message was '"
)

// record contains the members of one object that have a value: a string, a verbatim, a record, a
// []record, a []string, or rows. The contract determines their order and how missing members are
// written.
type record map[string]any

// rows are the records of a list in a response. Like the vendor, the simulator writes one empty row
// if there are none.
type rows iter.Seq[record]

func rowsOf(all ...record) rows { return rows(slices.Values(all)) }

// result is the outcome of an operation.
type result struct {
	errorMessage string // text of a business error; "" means success
	stackTrace   string // StackTrace of a business error
	members      record // members other than the error and security parts
}

func businessError(message string) result { return result{errorMessage: message} }

var nullReference = businessError("Object reference not set to an instance of an object.")

// authResult is the result of checking a caller's credentials.
type authResult struct {
	account       *account // nil if the customer key is unknown
	authenticated bool
	practices     []string // in PracticesAuthorized; nil writes none
}

// securityResponse returns the SecurityResponse part.
func (a authResult) securityResponse() record {
	r := record{
		"Authenticated": strconv.FormatBool(a.authenticated), "Authorized": strconv.FormatBool(a.authenticated),
		"CustomerKeyValid": strconv.FormatBool(a.account != nil), "SecurityResultSuccess": strconv.FormatBool(a.authenticated),
	}
	if a.account != nil {
		r["CustomerId"] = strconv.Itoa(a.account.id)
	}
	if a.authenticated && a.practices != nil {
		r["PracticesAuthorized"] = record{"PracticeID": a.practices}
	}
	return r
}

// responseXML returns the envelope of m's response.
func responseXML(m *method, auth authResult, res result) []byte {
	members := record{}
	maps.Copy(members, res.members)
	if m.hasHeader() {
		members["ErrorResponse"] = record{
			"ErrorMessage": res.errorMessage, "StackTrace": res.stackTrace, "IsError": strconv.FormatBool(res.errorMessage != ""),
		}
		members["SecurityResponse"] = auth.securityResponse()
	}
	var o xmlWriter
	o.put(`<s:Envelope xmlns:s="`, nsSOAP, `"><s:Body><`, m.name, `Response xmlns="`, nsKareo, `">`)
	o.open(m.name+"Result", nsKareo, m.out.uri, scope{}, ` xmlns:i="`+nsXSI+`"`)
	o.record(m.out, members, scope{}.with(m.out.uri))
	o.put("</", m.name, "Result></", m.name, "Response></s:Body></s:Envelope>")
	return o.Bytes()
}

func faultXML(ns, code, text string) []byte {
	var o xmlWriter
	o.put(`<s:Envelope xmlns:s="`, nsSOAP, `"><s:Body><s:Fault><faultcode xmlns:a="`, ns, `">a:`, code, "</faultcode>")
	o.put(`<faultstring xml:lang="en-US">`)
	o.escape(text)
	o.put("</faultstring></s:Fault></s:Body></s:Envelope>")
	return o.Bytes()
}

// scope lists the namespaces that have a prefix at some point of the output: "a" for the first, "b"
// for the second. The vendor's own namespace is the default and has no prefix.
type scope []string

func (s scope) with(uri string) scope {
	if uri == nsKareo || slices.Contains(s, uri) {
		return s
	}
	return append(slices.Clip(s), uri)
}

func (s scope) prefix(uri string) string {
	if i := slices.Index(s, uri); i >= 0 {
		return string(rune('a'+i)) + ":"
	}
	return ""
}

// xmlWriter writes responses.
type xmlWriter struct{ bytes.Buffer }

func (o *xmlWriter) put(parts ...string) {
	for _, p := range parts {
		o.WriteString(p)
	}
}

func (o *xmlWriter) escape(text string) {
	_ = xml.EscapeText(&o.Buffer, []byte(text)) // a bytes.Buffer never fails
}

// open writes a start tag and declares the namespaces of the element and of its content that are
// not declared yet. It returns the scope of the content.
func (o *xmlWriter) open(name, uri, inside string, in scope, attributes string) scope {
	all := in.with(uri).with(inside)
	o.put("<", all.prefix(uri), name)
	for _, declared := range all[len(in):] {
		o.put(" xmlns:", all.prefix(declared)[:1], `="`, declared, `"`)
	}
	o.put(attributes, ">")
	return all
}

// record writes the members of t: those that r contains, and the others as the contract requires.
func (o *xmlWriter) record(t *typ, r record, in scope) {
	for _, p := range t.members {
		switch v := r[p.name].(type) {
		case nil:
			o.absent(p, in)
		case string:
			if v == "" {
				o.absent(p, in)
				continue
			}
			o.text(p, v, in)
		case verbatim:
			o.verbatim(p, v, in)
		case record:
			o.object(p, v, in)
		case []record:
			o.list(p, rowsOf(v...), in, false)
		case rows:
			o.list(p, v, in, true)
		case []string:
			o.texts(p, v, in)
		}
	}
}

// absent writes a member without a value.
func (o *xmlWriter) absent(p member, in scope) {
	switch {
	case p.omitted && !p.required:
	case p.nullable:
		prefix := in.with(p.uri).prefix(p.uri)
		o.put("<", prefix, p.name)
		if len(in.with(p.uri)) > len(in) {
			o.put(" xmlns:", prefix[:1], `="`, p.uri, `"`)
		}
		o.put(` i:nil="true"/>`)
	default:
		o.text(p, p.zero(), in)
	}
}

// zero returns what .NET writes for an unset value.
func (m member) zero() string {
	switch {
	case m.typ != nil && len(m.typ.values) > 0:
		return m.typ.enumValues()[0]
	case m.builtin == "boolean":
		return "false"
	case m.builtin == "dateTime":
		return "0001-01-01T00:00:00"
	case m.builtin == "string":
		return ""
	}
	return "0"
}

func (o *xmlWriter) text(p member, value string, in scope) {
	o.verbatim(p, verbatim(escaped(value)), in)
}

// verbatim is a member's text that is written without escaping.
type verbatim string

func (o *xmlWriter) verbatim(p member, value verbatim, in scope) {
	all := o.open(p.name, p.uri, p.uri, in, "")
	o.put(string(value), "</", all.prefix(p.uri), p.name, ">")
}

func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a bytes.Buffer never fails
	return b.String()
}

func (o *xmlWriter) object(p member, r record, in scope) {
	if len(r) == 0 {
		o.empty(p, in)
		return
	}
	all := o.open(p.name, p.uri, p.typ.uri, in, "")
	o.record(p.typ, r, all)
	o.put("</", all.prefix(p.uri), p.name, ">")
}

// empty writes an element without any content, even without required members, as the vendor's
// placeholder row is.
func (o *xmlWriter) empty(p member, in scope) {
	o.open(p.name, p.uri, p.uri, in, "")
	o.Truncate(o.Len() - 1)
	o.put("/>")
}

func (o *xmlWriter) list(p member, all rows, in scope, placeholder bool) {
	item, _ := p.typ.item()
	inside := o.open(p.name, p.uri, item.uri, in, "")
	none := true
	for r := range all {
		o.object(item, r, inside)
		none = false
	}
	if none && placeholder {
		o.empty(item, inside)
	}
	o.put("</", inside.prefix(p.uri), p.name, ">")
}

func (o *xmlWriter) texts(p member, all []string, in scope) {
	item, _ := p.typ.item()
	inside := o.open(p.name, p.uri, item.uri, in, "")
	for _, text := range all {
		o.text(item, text, inside)
	}
	o.put("</", inside.prefix(p.uri), p.name, ">")
}
