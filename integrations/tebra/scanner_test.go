package tebra

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"
	"testing/iotest"

	"pgregory.net/rapid"
)

// tokens returns the tags and texts of a document, and how many characters were replaced.
func tokens(r io.Reader) (all []string, repaired int, err error) {
	s := newScanner(r, 1<<20)
	for {
		s.text.buf = s.text.buf[:0]
		use := keepText
		if len(s.open) == 0 {
			use = blankText
		}
		name, start, err := s.next(use)
		if text := string(s.text.buf); text != "" {
			all = append(all, "text "+text)
		}
		switch {
		case errors.Is(err, io.EOF):
			return all, s.text.count, nil
		case err != nil:
			return all, s.text.count, err
		case start:
			all = append(all, "start "+name.Space+" "+name.Local)
		default:
			all = append(all, "end")
		}
	}
}

// standardTokens returns the same, as encoding/xml reads the document. ok is false for documents
// that the scanner refuses on purpose.
func standardTokens(document string) (all []string, ok bool, err error) {
	d, depth, roots, text := xml.NewDecoder(strings.NewReader(document)), 0, 0, ""
	d.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	flush := func() {
		if text != "" && depth > 0 {
			all = append(all, "text "+text)
		}
		text = ""
	}
	for ok = !joined.MatchString(document); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return all, ok && roots == 1, nil
		}
		if err != nil {
			return nil, ok, err
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if flush(); depth == 0 {
				roots++
			}
			depth++
			all = append(all, "start "+t.Name.Space+" "+t.Name.Local)
			ok = ok && depth <= maxDepth && isLocal(t.Name.Local)
			for _, a := range t.Attr {
				ok = ok && isLocal(a.Name.Local)
			}
		case xml.EndElement:
			flush()
			depth--
			all = append(all, "end")
		case xml.CharData:
			text += string(t)
			ok = ok && (depth > 0 || strings.Trim(string(t), xmlSpace) == "" && !strings.Contains(document, "<![CDATA["))
		case xml.ProcInst:
			ok = ok && t.Target == "xml" && roots == 0 && !unspaced.MatchString(document)
		case xml.Directive:
			ok = false
		}
	}
}

// isLocal reports that a name without its prefix is a name: encoding/xml accepts "a:0" and ":a".
func isLocal(name string) bool {
	return !strings.Contains(name, ":") && !strings.ContainsAny(name[:1], "-.0123456789")
}

// joined matches an attribute without white space before it, which encoding/xml accepts.
var joined = regexp.MustCompile(`=\s*("[^"]*"|'[^']*')[^\s/>?]`)

// unspaced matches a declaration whose name ends without white space, which encoding/xml accepts.
var unspaced = regexp.MustCompile(`<\?xml[^ \t\r\n]`)

// compareWithStandard checks that the scanner reads what encoding/xml reads, and nothing else.
func compareWithStandard(document string) error {
	got, repaired, err := tokens(strings.NewReader(document))
	want, ok, standardErr := standardTokens(document)
	switch {
	case standardErr == nil && ok:
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			return fmt.Errorf("%q: got %q, %w, want %q", document, got, err, want)
		}
		if repaired > 0 {
			return fmt.Errorf("%q: %d characters replaced in a well-formed document", document, repaired)
		}
	case standardErr != nil && err == nil && repaired == 0 && !lenient(document):
		return fmt.Errorf("%q: got %q, and encoding/xml says %w", document, got, standardErr)
	}
	return nil
}

// lenient reports that a document may have what only the scanner accepts: the end of a CDATA
// section in a text, names with any character beyond ASCII, and an XML declaration of any content.
func lenient(document string) bool {
	return strings.Contains(document, "]]>") || strings.Contains(document, "<?xml") || strings.ContainsFunc(document, func(r rune) bool { return r > 127 })
}

var scannerDocuments = []string{
	`<a/>`, `<a b="c" xmlns:p='urn:x'><p:b/>x</a >`, "<a>\r\n\r&#13;</a>", `<a>&lt;&#x41;&#66;&amp;&quot;&apos;&gt;</a>`,
	`<a><![CDATA[<b>&amp;]]]]><![CDATA[>]]></a>`, `<a><!-- - <b> -->x<!----></a>`, `<?xml version="1.0" encoding="utf-8"?><a/>` + "\n<!-- x -->",
	`<a xmlns="urn:x"><b xmlns="">1</b><c xmlns:d="urn:y"><d:e/></c></a>`, `<a>]]></a>`, `<a b="&lt;>"/>`, `<a b='"'/>`, `<a b="<"/>`, `<a b/>`,
	`<a b=c/>`, `<a b="1"c="2"/>`, `<a><b></a></b>`, `<a></b>`, `<a>`, `<a><!-- -- --></a>`, `<a>&x;</a>`, "<a>\x00</a>", "<a>\xff</a>", `<a></ a>`,
	`<1/>`, `<a:b:c/>`, `<a:0/>`, `<a b:-="c"/>`, `<:a/>`, `<a:/>`, `<a/ >`, `< a/>`, `<a/><b/>`, `x<a/>`, `<a/>x`, `<!DOCTYPE a><a/>`, `<?x?><a/>`, `<?xml?><a/>`, `<?xml"?><a/>`, `<a><![CDATA[`, `<a>&`, `<a>&#x1`,
	"<a>\xed\xa0\x80</a>", "<a>\xc0\x80</a>", "<a>\xef\xbf\xbe</a>", "<a\x01/>", "<a>\xe2\x82</a>", "<a>&#xD800;&#x110000;&#0;&#;&#x;&;& </a>", `<a xmlns:b=""/>`,
	`<a b="&x;"/>`, "<a b=\"\x01\"/>", `<é/>`, `<a></a`, `<a></a `, `<a/`, `<`, ``, `<!`, `<!-`, `<!--`, `<![CDATA[x]]>`,
}

func FuzzScanner(f *testing.F) {
	for _, document := range scannerDocuments {
		f.Add(document)
	}
	f.Fuzz(func(t *testing.T, document string) {
		if err := compareWithStandard(document); err != nil {
			t.Error(err)
		}
		whole, repaired, err := tokens(strings.NewReader(document))
		bytewise, again, err2 := tokens(iotest.OneByteReader(strings.NewReader(document)))
		if fmt.Sprintf("%q %d %v", whole, repaired, err) != fmt.Sprintf("%q %d %v", bytewise, again, err2) {
			t.Errorf("%q: %q %d %v, byte by byte %q %d %v", document, whole, repaired, err, bytewise, again, err2)
		}
	})
}

// Documents are composed of valid and invalid pieces, in an element or outside.
func TestScannerReadsWhatTheStandardReads(t *testing.T) {
	t.Parallel()
	pieces := []string{
		"<b>", "</b>", "<b/>", "<p:c xmlns:p='urn:p'>", "</p:c>", "text", " ", "\r\n", "&amp;", "&#x41;", "&x;", "&#xB;", "\v", "\xff", "é", "🙂", "\xed\xa0\x80", "\ufffe",
		"<![CDATA[", "]]>", "<!--", "-->", "--", "&", ";", "<", ">", `"`, "'", "=", ` xmlns="urn:d"`, "<b xmlns='urn:e'>",
	}
	rapid.Check(t, func(t *rapid.T) {
		inside := strings.Join(rapid.SliceOfN(rapid.SampledFrom(pieces), 0, 12).Draw(t, "pieces"), "")
		for _, document := range []string{"<a>" + inside + "</a>", inside} {
			if err := compareWithStandard(document); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestTextsAreRepaired(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct {
		text  string
		count int
	}{
		"plain":                         {"plain", 0},
		"a&#xB;b":                       {"a\ufffdb", 1},
		"&#0;&#x0;&#x1F;&#31;":          {"\ufffd\ufffd\ufffd\ufffd", 4},
		"\x00\x01\x0b\x1f":              {"\ufffd\ufffd\ufffd\ufffd", 4},
		"&#9;&#xA;&#13;\t\n":            {"\t\n\r\t\n", 0},
		"\r\n\r\r\n":                    {"\n\n\n", 0},
		"\xe9":                          {"\ufffd", 1},
		"\xc3":                          {"\ufffd", 1},
		"\xe2\x82x":                     {"\ufffd\ufffdx", 2},
		"\xed\xa0\x80":                  {"\ufffd\ufffd\ufffd", 3},
		"\xc0\xaf":                      {"\ufffd\ufffd", 2},
		"\xf4\x90\x80\x80":              {"\ufffd\ufffd\ufffd\ufffd", 4},
		"\xef\xbf\xbe\xef\xbf\xbf":      {"\ufffd\ufffd", 2},
		"\xef\xbf\xbd":                  {"\ufffd", 0},
		"&#xD83D;&#xDE00;":              {"\ufffd\ufffd", 2},
		"&#x1F642;🙂":                    {"🙂🙂", 0},
		"&#xFFFE;&#x110000;":            {"\ufffd\ufffd", 2},
		"&#99999999999999999999;":       {"\ufffd", 1},
		"&#x;&#;&#xg;":                  {"\ufffd\ufffd\ufffd", 3},
		"&nbsp;&eacute;":                {"\ufffd\ufffd", 2},
		"&lt;&gt;&amp;&quot;&apos;":     {`<>&"'`, 0},
		"a & b&c &":                     {"a & b&c &", 3},
		"&" + strings.Repeat("n", 100):  {"&" + strings.Repeat("n", 100), 1},
		"]]>":                           {"]]>", 0},
		"<![CDATA[&#xB;<&\x0b\xff]]>":   {"&#xB;<&\ufffd\ufffd", 2},
		"1<!-- \x00\xff&#xB; -->2":      {"12", 0},
		"&#x4<!-- -->1;":                {"&#x41;", 1},
		"\xe2<!-- -->\x82\xac":          {"\ufffd\ufffd\ufffd", 3},
		"\r<!-- -->\n":                  {"\n\n", 0},
		"<![CDATA[]]]]><![CDATA[>]]>":   {"]]>", 0},
		strings.Repeat("é", windowSize): {strings.Repeat("é", windowSize), 0},
		strings.Repeat("x", windowSize-4) + "&#xB;\xe9&amp;": {strings.Repeat("x", windowSize-4) + "\ufffd\ufffd&", 2},
	} {
		for name, wrap := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "in halves": iotest.HalfReader,
			"with the end": iotest.DataErrReader,
		} {
			r := newReader(wrap(strings.NewReader("<a>"+text+"</a>")), 1<<20)
			if _, _, err := r.next(blankText); err != nil {
				t.Fatal(err)
			}
			got, err := r.value()
			if err != nil || string(got) != want.text || r.text.count != want.count || len(r.open) != 0 {
				t.Errorf("%.60q %s: got %.60q, %d replaced, %v, want %.60q and %d", text, name, got, r.text.count, err, want.text, want.count)
			}
		}
	}
}

// However a response is cut into reads, its rows are the same.
func TestReadsMayEndAnywhere(t *testing.T) {
	t.Parallel()
	rows := `<AppointmentData><ID>1</ID><Notes>a&#xB;b<![CDATA[&<]]>é\xff<!-- - -->&amp;</Notes><StartDate>2/24/2026 11:00:00 AM</StartDate></AppointmentData>`
	document := fuzzHead + strings.Repeat(rows, 3) + fuzzTail
	want, _, _, err := readAppointments(document, 1<<20)
	if err != nil || len(want) != 3 {
		t.Fatal(len(want), err)
	}
	for size := 1; size < 64; size++ {
		got, _, _, err := readAppointmentsFrom(&pieceReader{document, size}, 1<<20)
		if err != nil || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", want) {
			t.Fatalf("in pieces of %d: %d rows, %v", size, len(got), err)
		}
	}
}

// pieceReader returns text in pieces of size.
type pieceReader struct {
	text string
	size int
}

func (p *pieceReader) Read(into []byte) (int, error) {
	if p.text == "" {
		return 0, io.EOF
	}
	n := copy(into, p.text[:min(p.size, len(p.text))])
	p.text = p.text[n:]
	return n, nil
}

func TestReaderWithoutProgressEnds(t *testing.T) {
	t.Parallel()
	if _, _, err := tokens(iotest.ErrReader(nil)); !errors.Is(err, errTruncated) {
		t.Errorf("got %v, want %v", err, errTruncated)
	}
}

// Nothing is allocated for members that are not read, and one string for a text that is.
func TestCleanRowsCostLittle(t *testing.T) { //nolint:paralleltest // it counts allocations
	row := "<AppointmentData><ID>1</ID>" + strings.Repeat("<Future>some text of a column</Future>", 40) +
		"<Notes>a note</Notes><PatientFullName>Test Patient</PatientFullName><StartDate>2/24/2026 11:00:00 AM</StartDate></AppointmentData>"
	const rows = 1000
	document := fuzzHead + strings.Repeat(row, rows) + fuzzTail
	allocated := testing.AllocsPerRun(3, func() {
		if got, _, _, err := readAppointments(document, 1<<20*8); err != nil || len(got) != rows {
			t.Fatal(len(got), err)
		}
	})
	if perRow := allocated / rows; perRow > 5 {
		t.Errorf("%.1f allocations a row", perRow)
	}
}
