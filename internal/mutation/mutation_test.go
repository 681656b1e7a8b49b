package mutation

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// body is a list of six visits in the simulator's form.
func body() []byte {
	var b strings.Builder
	b.WriteString(`<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body><GetAppointmentsResponse xmlns="http://www.kareo.com/api/schemas/">` +
		`<GetAppointmentsResult xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><ErrorResponse><IsError>false</IsError></ErrorResponse>` +
		`<SecurityResponse><Authenticated>true</Authenticated></SecurityResponse><Appointments>`)
	for i := range 6 {
		fmt.Fprintf(&b, "<AppointmentData><AppointmentReason1>R &amp; D</AppointmentReason1><ID>%d</ID><PatientID>%d</PatientID><PracticeID>1</PracticeID>"+
			"<PracticeName>One</PracticeName><StartDate>2/24/2026 9:0%d:00 AM</StartDate></AppointmentData>", 10+i, 20+i, i)
	}
	b.WriteString(`</Appointments></GetAppointmentsResult></GetAppointmentsResponse></s:Body></s:Envelope>`)
	return []byte(b.String())
}

func TestParseAndWrite(t *testing.T) {
	t.Parallel()
	d := parse(string(body()))
	if got := d.bytes(); len(d.rows) != 6 || d.rows[5].id != "15" || !bytes.Equal(got, body()) {
		t.Errorf("%d rows, written as\n%s", len(d.rows), got)
	}
}

// Each step changes the text. A step that keeps the envelope intact leaves well-formed XML, except
// for what it puts into a text, and keeps all rows that it does not count as touched.
func TestSteps(t *testing.T) {
	t.Parallel()
	for _, s := range slices.Concat(rowSteps, envelopeSteps) {
		changed := false
		for i := range 200 {
			d := parse(string(body()))
			d.choose = rand.New(rand.NewPCG(2, uint64(i))).IntN
			s.apply(d)
			got := d.bytes()
			changed = changed || !bytes.Equal(got, body())
			if s.breaks || strings.Contains(s.name, "corrupt") || strings.Contains(s.name, "another text") {
				continue
			}
			rows, err := rowsOf(got)
			if err != nil {
				t.Errorf("%s: %v in\n%s", s.name, err, got)
				break
			}
			for _, r := range d.rows {
				if want := fmt.Sprintf("%s at 2/24/2026 9:0%d:00 AM", r.id, r.id[len(r.id)-1]-'0'); !r.touched && !slices.Contains(rows, want) {
					t.Errorf("%s: no %s in\n%s", s.name, want, got)
				}
			}
		}
		if !changed {
			t.Errorf("%s changes nothing", s.name)
		}
	}
}

// rowsOf returns ID and start of each row.
func rowsOf(text []byte) (rows []string, err error) {
	dec := xml.NewDecoder(bytes.NewReader(text))
	for {
		token, err := dec.Token()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		if err != nil {
			return nil, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == item {
			var row struct{ ID, StartDate string }
			if err := dec.DecodeElement(&row, &start); err != nil {
				return nil, err
			}
			rows = append(rows, row.ID+" at "+row.StartDate)
		}
	}
}

// What a response states about its rows is true, whatever was done to them.
func TestKeptAndForeignRows(t *testing.T) {
	t.Parallel()
	kept, foreign, intact := 0, 0, 0
	for i := range 2000 {
		r := Mutate(body(), rand.New(rand.NewPCG(3, uint64(i))).IntN)
		kept += len(r.Kept)
		foreign += len(r.Foreign)
		if !r.Intact {
			continue
		}
		intact++
		for _, id := range r.Foreign {
			if !bytes.Contains(r.Body, []byte("ID>"+id+"<")) || slices.Contains(r.Kept, id) {
				t.Fatalf("no row %s after %v:\n%s", id, r.Steps, r.Body)
			}
		}
	}
	if kept < 8000 || foreign < 100 || intact < 1000 {
		t.Errorf("%d kept and %d foreign rows, %d intact responses: too few to prove anything", kept, foreign, intact)
	}
	if r := Mutate([]byte("<nothing/>"), rand.New(rand.NewPCG(4, 4)).IntN); len(r.Kept)+len(r.Foreign) > 0 {
		t.Errorf("rows %v of a response without any", r.Kept)
	}
}
