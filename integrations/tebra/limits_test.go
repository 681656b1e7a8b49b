package tebra_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

func TestListsAtTheRowLimitArePartial(t *testing.T) {
	t.Parallel()
	row := "<AppointmentData><ID>1</ID></AppointmentData>"
	for rows, partial := range map[int]bool{9_999: false, 10_000: true, 10_500: true} {
		c := newClient(t, always(200, xmlType, appointments(strings.Repeat(row, rows))), nil)
		got, err := c.Appointments.List(t.Context(), oneDay())
		if err != nil || len(got.Rows) != min(rows, 10_000) || got.Partial != partial {
			t.Errorf("%d rows: got %d, partial %t, error %v", rows, len(got.Rows), got.Partial, err)
		}
	}
}

func TestDirectoriesAtTheRowLimitArePartial(t *testing.T) {
	t.Parallel()
	const bare = "http://www.kareo.com/api/schemas"
	for _, tt := range []struct {
		op, list, row, ns string
		read              func(*tebra.Client) (int, bool, error)
	}{
		{"GetProviders", "Providers", "ProviderData", "", func(c *tebra.Client) (int, bool, error) {
			list, err := c.Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "P"})
			return len(list.Rows), list.Partial, err
		}},
		{"GetPractices", "Practices", "PracticeData", "", func(c *tebra.Client) (int, bool, error) {
			list, err := c.Directory.Practices(t.Context(), tebra.PracticesRequest{})
			return len(list.Rows), list.Partial, err
		}},
		{"GetServiceLocations", "ServiceLocations", "ServiceLocationData", bare, func(c *tebra.Client) (int, bool, error) {
			list, err := c.Directory.ServiceLocations(t.Context(), tebra.ServiceLocationsRequest{PracticeName: "P"})
			return len(list.Rows), list.Partial, err
		}},
		{"GetProcedureCodes", "ProcedureCodes", "ProcedureCodeData", bare, func(c *tebra.Client) (int, bool, error) {
			list, err := c.Directory.ProcedureCodes(t.Context(), tebra.ProcedureCodesRequest{})
			return len(list.Rows), list.Partial, err
		}},
		{"GetAppointmentReasons", "AppointmentReasons", "AppointmentReasonData", "", func(c *tebra.Client) (int, bool, error) {
			list, err := c.Appointments.Reasons(t.Context(), "1")
			return len(list.Rows), list.Partial, err
		}},
	} {
		t.Run(tt.op, func(t *testing.T) {
			t.Parallel()
			id, open := "ID", "<"+tt.list+">"
			if tt.op == "GetAppointmentReasons" {
				id = "AppointmentReasonId"
			}
			if tt.ns != "" {
				open = "<" + tt.list + ` xmlns="` + tt.ns + `">`
			}
			row := fmt.Sprintf("<%[1]s><%[2]s>1</%[2]s></%[1]s>", tt.row, id)
			for n, want := range map[int]bool{2: false, 10_000: true} {
				body := responseTo(tt.op, noError+authorized+open+strings.Repeat(row, n)+"</"+tt.list+">")
				rows, partial, err := tt.read(newClient(t, always(200, xmlType, body), nil))
				if rows != n || partial != want || err != nil {
					t.Errorf("%d rows: got %d, partial %t, %v", n, rows, partial, err)
				}
			}
		})
	}
}

// endlessBody returns prefix and then text repeatedly, up to eight times the limit of the tests,
// and counts the bytes read.
type endlessBody struct {
	prefix, text string
	consumed     int64
}

func (e *endlessBody) Read(p []byte) (int, error) {
	if e.prefix != "" {
		n := copy(p, e.prefix)
		e.prefix = e.prefix[n:]
		return n, nil
	}
	if e.consumed > 64<<20 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) {
		i := int(e.consumed+int64(n)) % len(e.text)
		n += copy(p[n:], e.text[i:])
	}
	e.consumed += int64(n)
	return n, nil
}

// Only a limited part of an endless response is read, whatever it contains.
func TestEndlessResponsesAreAbandoned(t *testing.T) { //nolint:paralleltest // it measures the heap
	open, _, _ := strings.Cut(appointments("|"), "|")
	for name, text := range map[string]string{
		"rows":              "<AppointmentData><ID>1</ID></AppointmentData>",
		"text":              "a",
		"white space":       " ",
		"comments":          "<!-- -->",
		"members of a row":  "<x>1</x>",
		"attributes":        ` a="1"`,
		"unclosed elements": "<x>",
	} {
		prefix := open
		switch name {
		case "attributes":
			prefix += "<AppointmentData"
		case "members of a row", "text":
			prefix += "<AppointmentData><Notes>"
		}
		body := &endlessBody{prefix: prefix, text: text}
		c := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) {
			return respond(200, xmlType, body), nil
		}), func(o *tebra.Options) { o.MaxBytes = 8 << 20 })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		list, err := c.Appointments.List(t.Context(), oneDay())
		runtime.GC()
		runtime.ReadMemStats(&after)
		if name == "rows" {
			if err != nil || !list.Partial {
				t.Errorf("%s: partial %t, error %v", name, list.Partial, err)
			}
		} else if !errors.Is(err, &tebra.Error{Code: tebra.Malformed}) {
			t.Errorf("%s: got %v, want malformed", name, err)
		}
		most := int64(8 << 20)
		if name == "text" || name == "attributes" || name == "white space" {
			most = 4 << 20 // the limit of a single token
		}
		if body.consumed > most+64<<10 {
			t.Errorf("%s: %d bytes were read, want at most %d", name, body.consumed, most)
		}
		if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
			t.Errorf("%s: heap grew by %d bytes", name, grown)
		}
		runtime.KeepAlive(list)
	}
}

func TestRowsAreYieldedOneByOne(t *testing.T) {
	t.Parallel()
	row := "<AppointmentData><ID>1</ID></AppointmentData>"
	read := func(body string, most int) (rows int, seen tebra.Observation, err error) {
		var all []tebra.Observation
		g := &gate{}
		c := newClient(t, always(200, xmlType, body), func(o *tebra.Options) { o.Gate, o.Observe = g, observeInto(&all) })
		for _, e := range c.Appointments.Rows(t.Context(), oneDay()) {
			if err = e; e != nil {
				continue
			}
			if rows++; rows == most {
				break
			}
		}
		if len(g.outcomes) != 1 || len(all) != 1 {
			t.Fatalf("%d outcomes and %d observations, want one each", len(g.outcomes), len(all))
		}
		return rows, all[0], err
	}
	if rows, seen, err := read(appointments(strings.Repeat(row, 9)), 100); rows != 9 || err != nil || seen.Code != "" || seen.Rows != 9 {
		t.Errorf("%d rows, %v, observed %+v", rows, err, seen)
	}
	if rows, seen, err := read(appointments(strings.Repeat(row, 9)), 3); rows != 3 || err != nil || seen.Code != "" {
		t.Errorf("stopped after three: %d rows, %v, observed %+v", rows, err, seen)
	}
	if rows, _, err := read(appointments(strings.Repeat(row, 10_001)), 0); rows != 10_000 || !errors.Is(err, tebra.ErrPartial) {
		t.Errorf("at the row limit: %d rows, %v", rows, err)
	}
	if rows, seen, err := read(appointments(strings.Repeat(row, 9))[:600], 100); rows == 0 || !errors.Is(err, &tebra.Error{Code: tebra.Unavailable}) || seen.Reason != "cut" {
		t.Errorf("cut: %d rows, %v, observed %+v", rows, err, seen)
	}
	if rows, _, err := read(responseTo("GetAppointments", noError+security(false, true, true)+"<Appointments>"+row+"</Appointments>"), 100); rows != 0 || !errors.Is(err, &tebra.Error{Code: tebra.Unauthenticated}) {
		t.Errorf("refused: %d rows, %v, want none", rows, err)
	}
}
