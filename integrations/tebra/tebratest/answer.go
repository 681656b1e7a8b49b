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

// record holds the members of one object that have a value: a string, a record, a []record, a []string, or rows. The
// contract says in which order they are written, and what stands for those that are not here.
type record map[string]any

// rows are the records of an answer's list. None of them are written as one empty row, as the vendor does.
type rows iter.Seq[record]

func rowsOf(all ...record) rows { return rows(slices.Values(all)) }

// result is what an operation answers.
type result struct {
	problem string // ErrorMessage of a business error; "" is success
	stack   string // StackTrace beside it
	members record // of the operation's result, beside the parts that every answer has
}

func failed(message string) result { return result{problem: message} }

var nullReference = failed("Object reference not set to an instance of an object.")

// verdict is what the vendor thinks of the caller.
type verdict struct {
	account       *account // nil when the customer key is unknown
	authenticated bool
}

// record is the SecurityResponse.
func (v verdict) record() record {
	r := record{
		"Authenticated": strconv.FormatBool(v.authenticated), "Authorized": strconv.FormatBool(v.authenticated),
		"CustomerKeyValid": strconv.FormatBool(v.account != nil), "SecurityResultSuccess": strconv.FormatBool(v.authenticated),
	}
	if v.account != nil {
		r["CustomerId"] = strconv.Itoa(v.account.id)
	}
	if v.authenticated {
		ids := []string{}
		for _, c := range v.account.clinics {
			ids = append(ids, strconv.Itoa(c.practice.ID))
		}
		r["PracticesAuthorized"] = record{"PracticeID": ids}
	}
	return r
}

// answerXML writes the envelope that answers m.
func answerXML(m *method, v verdict, res result) []byte {
	members := record{}
	maps.Copy(members, res.members)
	if m.headed() {
		members["ErrorResponse"] = record{
			"ErrorMessage": res.problem, "StackTrace": res.stack, "IsError": strconv.FormatBool(res.problem != ""),
		}
		members["SecurityResponse"] = v.record()
	}
	var o output
	o.put(`<s:Envelope xmlns:s="`, nsSOAP, `"><s:Body><`, m.name, `Response xmlns="`, nsKareo, `">`)
	o.open(m.name+"Result", nsKareo, m.out.uri, scope{}, ` xmlns:i="`+nsXSI+`"`)
	o.record(m.out, members, scope{}.with(m.out.uri))
	o.put("</", m.name, "Result></", m.name, "Response></s:Body></s:Envelope>")
	return o.Bytes()
}

func faultXML(ns, code, text string) []byte {
	var o output
	o.put(`<s:Envelope xmlns:s="`, nsSOAP, `"><s:Body><s:Fault><faultcode xmlns:a="`, ns, `">a:`, code, "</faultcode>")
	o.put(`<faultstring xml:lang="en-US">`)
	o.escape(text)
	o.put("</faultstring></s:Fault></s:Body></s:Envelope>")
	return o.Bytes()
}

// scope are the namespaces that have a prefix where something is written: "a" for the first, "b" for the second. The
// vendor's own is the default and has none.
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

// output writes XML.
type output struct{ bytes.Buffer }

func (o *output) put(parts ...string) {
	for _, p := range parts {
		o.WriteString(p)
	}
}

func (o *output) escape(text string) {
	_ = xml.EscapeText(&o.Buffer, []byte(text)) // a bytes.Buffer never fails
}

// open writes a start tag that declares the namespaces of the element and of what it will hold, unless they are declared.
// It returns the scope inside.
func (o *output) open(name, uri, inside string, in scope, attributes string) scope {
	all := in.with(uri).with(inside)
	o.put("<", all.prefix(uri), name)
	for _, declared := range all[len(in):] {
		o.put(" xmlns:", all.prefix(declared)[:1], `="`, declared, `"`)
	}
	o.put(attributes, ">")
	return all
}

// record writes the members of t: those of r that have a value, and what the contract wants for the others.
func (o *output) record(t *typ, r record, in scope) {
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
func (o *output) absent(p part, in scope) {
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

// zero is what .NET writes for a value that nobody set.
func (p part) zero() string {
	switch {
	case p.of != nil && len(p.of.values) > 0:
		return p.of.words()[0]
	case p.builtin == "boolean":
		return "false"
	case p.builtin == "dateTime":
		return "0001-01-01T00:00:00"
	case p.builtin == "string":
		return ""
	}
	return "0"
}

func (o *output) text(p part, value string, in scope) {
	all := o.open(p.name, p.uri, p.uri, in, "")
	o.escape(value)
	o.put("</", all.prefix(p.uri), p.name, ">")
}

func (o *output) object(p part, r record, in scope) {
	if len(r) == 0 {
		o.empty(p, in)
		return
	}
	all := o.open(p.name, p.uri, p.of.uri, in, "")
	o.record(p.of, r, all)
	o.put("</", all.prefix(p.uri), p.name, ">")
}

// empty writes an element that holds nothing, not even what its type says is always there: the vendor's placeholder.
func (o *output) empty(p part, in scope) {
	o.open(p.name, p.uri, p.uri, in, "")
	o.Truncate(o.Len() - 1)
	o.put("/>")
}

func (o *output) list(p part, all rows, in scope, placeholder bool) {
	item, _ := p.of.item()
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

func (o *output) texts(p part, all []string, in scope) {
	item, _ := p.of.item()
	inside := o.open(p.name, p.uri, item.uri, in, "")
	for _, text := range all {
		o.text(item, text, inside)
	}
	o.put("</", inside.prefix(p.uri), p.name, ">")
}
