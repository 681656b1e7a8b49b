package mutation

import (
	"bytes"
	"encoding/binary"
	"regexp"
	"strings"
	"unicode/utf16"
)

// envelopeSteps change the envelope, or the text as a whole.
var envelopeSteps = []step{
	{name: "add a byte order mark", apply: recoding(func(b []byte) []byte { return append([]byte(mark), bytes.TrimPrefix(b, []byte(mark))...) })},
	{name: "add an XML declaration", apply: declaring("utf-8")},
	{name: "add white space and a comment at the end", apply: recoding(func(b []byte) []byte { return append(bytes.Clone(b), "\r\n<!-- the end -->\r\n"...) })},
	{name: "write prefixes in place of the default namespace", apply: prefix},
	{name: "add an unknown part", apply: func(d *draft) {
		d.before = strings.Replace(d.before, "<ErrorResponse>", "<Extra><Deep/></Extra><ErrorResponse>", 1)
	}},
	{name: "put the security part first", apply: func(d *draft) {
		d.before = partsPattern.ReplaceAllString(d.before, "$2$1")
	}},

	{name: "drop the error part", breaks: true, apply: func(d *draft) { d.before = partsPattern.ReplaceAllString(d.before, "$2") }},
	{name: "drop the security part", breaks: true, apply: func(d *draft) { d.before = partsPattern.ReplaceAllString(d.before, "$1") }},
	{name: "corrupt the error flag", breaks: true, apply: func(d *draft) { d.before = strings.Replace(d.before, "<IsError>false<", "<IsError>maybe<", 1) }},
	{name: "rename an element", breaks: true, apply: renameOne},
	{name: "double the body", breaks: true, apply: recoding(func(b []byte) []byte {
		_, rest, _ := bytes.Cut(b, []byte("<s:Body>"))
		body, _, _ := bytes.Cut(rest, []byte("</s:Body>"))
		return bytes.Replace(b, []byte("</s:Body>"), []byte("</s:Body><s:Body>"+string(body)+"</s:Body>"), 1)
	})},
	{name: "double the list", breaks: true, apply: func(d *draft) {
		d.after = strings.Replace(d.after, "</Appointments>", "</Appointments><Appointments></Appointments>", 1)
	}},
	{name: "cut the text", breaks: true, apply: func(d *draft) {
		at := d.choose(1000)
		d.recode = append(d.recode, func(b []byte) []byte { return b[:len(b)*at/1000] })
	}},
	{name: "drop an end tag", breaks: true, apply: func(d *draft) {
		at := d.choose(1000)
		d.recode = append(d.recode, func(b []byte) []byte {
			ends := endPattern.FindAllIndex(b, -1)
			if len(ends) == 0 {
				return b
			}
			end := ends[len(ends)*at/1000]
			return append(bytes.Clone(b[:end[0]]), b[end[1]:]...)
		})
	}},
	{name: "open a tag within a text", breaks: true, apply: func(d *draft) {
		if r, c := d.pickCell(); c != nil {
			r.touched, c.text = true, c.text+"<"
		}
	}},
	{name: "add a document type", breaks: true, apply: recoding(func(b []byte) []byte { return append([]byte(`<!DOCTYPE x [<!ENTITY y "z">]>`), b...) })},
	{name: "declare Latin-1", breaks: true, apply: declaring("iso-8859-1")},
	{name: "encode as UTF-16", breaks: true, apply: recoding(toUTF16)},
	{name: "end with garbage", breaks: true, apply: recoding(func(b []byte) []byte { return append(bytes.Clone(b), "<more/>\x00"...) })},
	{name: "return nothing", breaks: true, apply: recoding(func([]byte) []byte { return nil })},
}

var (
	partsPattern   = regexp.MustCompile(`(<ErrorResponse>.*</ErrorResponse>)(<SecurityResponse>.*</SecurityResponse>)`)
	endPattern     = regexp.MustCompile(`</[\w:]+>`)
	elementPattern = regexp.MustCompile(`(</?)(\w+[\s>/])`)
)

// mark is the byte order mark in UTF-8.
const mark = "\xef\xbb\xbf"

func recoding(recode func([]byte) []byte) func(*draft) {
	return func(d *draft) { d.recode = append(d.recode, recode) }
}

func declaring(encoding string) func(*draft) {
	return recoding(func(b []byte) []byte {
		b = bytes.TrimPrefix(b, []byte(mark))
		if bytes.HasPrefix(b, []byte("<?xml")) {
			return b
		}
		return append([]byte(`<?xml version="1.0" encoding="`+encoding+`"?>`), b...)
	})
}

// prefix gives the vendor's elements a prefix in place of the default namespace.
func prefix(d *draft) {
	d.recode = append(d.recode, func(b []byte) []byte {
		if bytes.Contains(b, []byte("xmlns:k=")) || bytes.Contains(b, []byte("CDATA")) || bytes.Count(b, []byte(` xmlns="`)) > 1 {
			return b
		}
		b = bytes.Replace(b, []byte(` xmlns="`), []byte(` xmlns:k="`), 1)
		return elementPattern.ReplaceAll(b, []byte("${1}k:$2"))
	})
}

// renameOne renames an element that encloses the rows.
func renameOne(d *draft) {
	names := []string{"s:Envelope", "s:Body", "GetAppointmentsResponse", "GetAppointmentsResult", "Appointments", "ErrorResponse"}
	name := names[d.choose(len(names))]
	for _, text := range []*string{&d.before, &d.after} {
		*text = regexp.MustCompile(`(</?`+name+`)([ >])`).ReplaceAllString(*text, "${1}s$2")
	}
}

func toUTF16(b []byte) []byte {
	out := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(string(b))) {
		out = binary.LittleEndian.AppendUint16(out, unit)
	}
	return out
}
