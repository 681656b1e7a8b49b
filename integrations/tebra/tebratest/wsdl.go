package tebratest

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

const (
	nsWSDL    = "http://schemas.xmlsoap.org/wsdl/"
	nsSchema  = "http://www.w3.org/2001/XMLSchema"
	nsBinding = "http://tempuri.org/" // the vendor never set the binding's namespace
	nsGUID    = "http://schemas.microsoft.com/2003/10/Serialization/"
)

// serveWSDL serves the contract as WSDL: ?wsdl in parts like the vendor (?wsdl=wsdl0, ?xsd=xsd0 and
// so on), and ?singleWsdl as one document.
func (s *Server) serveWSDL(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodHead { // as the vendor does
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	q := r.URL.Query()
	var host strings.Builder
	_ = xml.EscapeText(&host, []byte(r.Host)) // a strings.Builder never fails
	d := wsdlWriter{schema: contract, address: "http://" + host.String() + Path}
	var text string
	switch {
	case q.Has("singleWsdl"):
		text = d.singleDocument()
	case q.Get("wsdl") == "wsdl0":
		text = d.bindingDocument()
	case q.Has("wsdl") && q.Get("wsdl") == "":
		text = d.mainDocument()
	case q.Has("xsd"):
		for n := range len(d.namespaces) + 1 {
			if q.Get("xsd") == fmt.Sprintf("xsd%d", n) {
				text = d.xsd(n, true)
			}
		}
	}
	if text == "" {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = w.Write([]byte(text)) // an error means that the caller has gone
}

// wsdlWriter writes the contract as WSDL for a service at address.
type wsdlWriter struct {
	*schema

	address string
	b       strings.Builder
}

func (d *wsdlWriter) put(format string, args ...any) { fmt.Fprintf(&d.b, format+"\n", args...) }

// flush returns the text written so far and resets the buffer.
func (d *wsdlWriter) flush() string {
	text := d.b.String()
	d.b.Reset()
	return text
}

func (d *wsdlWriter) singleDocument() string {
	var schemas strings.Builder
	for n := range len(d.namespaces) + 1 {
		schemas.WriteString(d.xsd(n, false))
	}
	d.put(`<wsdl:definitions name="KareoServices" targetNamespace="%s" xmlns:tns="%s" xmlns:i0="%s" xmlns:wsdl="%s" xmlns:soap="%ssoap/">`,
		nsKareo, nsKareo, nsBinding, nsWSDL, nsWSDL)
	d.put("<wsdl:types>\n%s</wsdl:types>", schemas.String())
	d.portType()
	d.bindings("tns")
	d.service("tns")
	d.put("</wsdl:definitions>")
	return d.flush()
}

// mainDocument returns messages and port type; as at the vendor, schemas and binding are in
// documents of their own.
func (d *wsdlWriter) mainDocument() string {
	d.put(`<wsdl:definitions name="KareoServices" targetNamespace="%s" xmlns:tns="%s" xmlns:i0="%s" xmlns:wsdl="%s" xmlns:soap="%ssoap/">`,
		nsKareo, nsKareo, nsBinding, nsWSDL, nsWSDL)
	d.put(`<wsdl:import namespace="%s" location="%s?wsdl=wsdl0"/>`, nsBinding, d.address)
	d.put(`<wsdl:types><xsd:schema xmlns:xsd="%s" targetNamespace="%sImports">`, nsSchema, nsKareo)
	for n := range len(d.namespaces) + 1 {
		d.put(`<xsd:import schemaLocation="%s?xsd=xsd%d" namespace="%s"/>`, d.address, n, d.uri(n))
	}
	d.put("</xsd:schema></wsdl:types>")
	d.portType()
	d.service("i0")
	d.put("</wsdl:definitions>")
	return d.flush()
}

func (d *wsdlWriter) bindingDocument() string {
	d.put(`<wsdl:definitions targetNamespace="%s" xmlns:tns="%s" xmlns:i0="%s" xmlns:wsdl="%s" xmlns:soap="%ssoap/">`,
		nsBinding, nsBinding, nsKareo, nsWSDL, nsWSDL)
	d.put(`<wsdl:import namespace="%s" location="%s?wsdl"/>`, nsKareo, d.address)
	d.bindings("i0")
	d.put("</wsdl:definitions>")
	return d.flush()
}

func (d *wsdlWriter) portType() {
	for _, m := range d.operations {
		d.put(`<wsdl:message name="KareoServices_%s_InputMessage"><wsdl:part name="parameters" element="tns:%s"/></wsdl:message>`, m.name, m.name)
		d.put(`<wsdl:message name="KareoServices_%s_OutputMessage"><wsdl:part name="parameters" element="tns:%sResponse"/></wsdl:message>`, m.name, m.name)
	}
	d.put(`<wsdl:portType name="KareoServices">`)
	for _, m := range d.operations {
		d.put(`<wsdl:operation name="%s"><wsdl:input message="tns:KareoServices_%s_InputMessage"/><wsdl:output message="tns:KareoServices_%s_OutputMessage"/></wsdl:operation>`,
			m.name, m.name, m.name)
	}
	d.put("</wsdl:portType>")
}

// bindings writes the binding. port is the prefix of the port type's namespace.
func (d *wsdlWriter) bindings(port string) {
	d.put(`<wsdl:binding name="BasicHttpBinding_KareoServices" type="%s:KareoServices">`, port)
	d.put(`<soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>`)
	for _, m := range d.operations {
		d.put(`<wsdl:operation name="%s"><soap:operation soapAction="%sKareoServices/%s" style="document"/>`, m.name, nsKareo, m.name)
		d.put(`<wsdl:input><soap:body use="literal"/></wsdl:input><wsdl:output><soap:body use="literal"/></wsdl:output></wsdl:operation>`)
	}
	d.put("</wsdl:binding>")
}

func (d *wsdlWriter) service(binding string) {
	d.put(`<wsdl:service name="KareoServices"><wsdl:port name="BasicHttpBinding_KareoServices" binding="%s:BasicHttpBinding_KareoServices">`, binding)
	d.put(`<soap:address location="%s"/></wsdl:port></wsdl:service>`, d.address)
}

// uri returns the namespace of the n-th schema. .NET's own schema follows those of the contract.
func (d *wsdlWriter) uri(n int) string {
	if n == len(d.namespaces) {
		return nsGUID
	}
	return d.namespaces[n].uri
}

// xsd returns the n-th schema. All schemas use the prefixes n0, n1 and so on for the namespaces.
func (d *wsdlWriter) xsd(n int, located bool) string {
	d.put(`<xs:schema elementFormDefault="qualified" targetNamespace="%s" xmlns:xs="%s"`, d.uri(n), nsSchema)
	for i := range len(d.namespaces) + 1 {
		d.put(` xmlns:n%d="%s"`, i, d.uri(i))
	}
	d.put(">")
	for i := range len(d.namespaces) + 1 {
		location := ""
		if located {
			location = fmt.Sprintf(` schemaLocation="%s?xsd=xsd%d"`, d.address, i)
		}
		if i != n {
			d.put(`<xs:import namespace="%s"%s/>`, d.uri(i), location)
		}
	}
	for _, t := range d.types {
		if t.uri == d.uri(n) {
			d.typeDeclaration(t)
		}
	}
	switch {
	case d.uri(n) == nsKareo:
		d.wrapperElements()
	case d.uri(n) == nsGUID:
		d.put(`<xs:simpleType name="guid"><xs:restriction base="xs:string">`)
		d.put(`<xs:pattern value="%s"/></xs:restriction></xs:simpleType>`, guidPattern)
	}
	d.put("</xs:schema>")
	return d.flush()
}

func (d *wsdlWriter) typeDeclaration(t *typ) {
	if len(t.values) > 0 {
		d.put(`<xs:simpleType name="%s"><xs:restriction base="xs:string">`, t.name)
		for _, word := range t.enumValues() {
			d.put(`<xs:enumeration value="%s"/>`, word)
		}
		d.put("</xs:restriction></xs:simpleType>")
		return
	}
	d.put(`<xs:complexType name="%s">`, t.name)
	if t.base != nil {
		d.put(`<xs:complexContent mixed="false"><xs:extension base="%s">`, d.typeName(t.base))
	}
	d.put("<xs:sequence>")
	for _, p := range t.ownMembers() {
		d.member(p)
	}
	d.put("</xs:sequence>")
	if t.base != nil {
		d.put("</xs:extension></xs:complexContent>")
	}
	d.put("</xs:complexType>")
}

func (d *wsdlWriter) member(p member) {
	attributes := ""
	if !p.required {
		attributes += ` minOccurs="0"`
	}
	if p.repeated {
		attributes += ` maxOccurs="unbounded"`
	}
	if p.nullable {
		attributes += ` nillable="true"`
	}
	kind := "xs:" + p.builtin
	switch {
	case p.typ != nil:
		kind = d.typeName(p.typ)
	case p.builtin == "guid":
		kind = fmt.Sprintf("n%d:guid", len(d.namespaces))
	}
	d.put(`<xs:element name="%s" type="%s"%s/>`, p.name, kind, attributes)
}

// typeName returns the reference to t in a schema.
func (d *wsdlWriter) typeName(t *typ) string {
	for i, n := range d.namespaces {
		if n.uri == t.uri {
			return fmt.Sprintf("n%d:%s", i, t.name)
		}
	}
	return t.name
}

// wrapperElements writes the elements for the body of an envelope.
func (d *wsdlWriter) wrapperElements() {
	wrap := func(element, member string, t *typ) {
		d.put(`<xs:element name="%s"><xs:complexType><xs:sequence>`, element)
		d.put(`<xs:element minOccurs="0" name="%s" nillable="true" type="%s"/></xs:sequence></xs:complexType></xs:element>`, member, d.typeName(t))
	}
	for _, m := range d.operations {
		wrap(m.name, m.parameter, m.in)
		wrap(m.name+"Response", m.name+"Result", m.out)
	}
}
