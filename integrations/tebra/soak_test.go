//go:build soak

package tebra_test

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// generatedRows is a response with 10,000 patients. It is generated while it is read, so only the
// decoder holds parts of it.
type generatedRows struct {
	left int
	rest string
	read int64
}

func (m *generatedRows) Read(p []byte) (int, error) {
	if m.rest == "" {
		switch {
		case m.left == 0:
			return 0, io.EOF
		case m.left == 1:
			_, m.rest, _ = strings.Cut(responseTo("GetPatients", noError+authorized+"<Patients>|</Patients>"), "|")
		default:
			m.rest = patientOfTwoKilobytes(m.left)
		}
		m.left--
	}
	n := copy(p, m.rest)
	m.rest = m.rest[n:]
	m.read += int64(n)
	return n, nil
}

func patientOfTwoKilobytes(n int) string {
	var b strings.Builder
	b.WriteString("<PatientData><AddressLine1>1 Sample Street</AddressLine1><DOB>7/4/1980 12:00:00 AM</DOB>")
	for i := range 40 { // columns that the client skips, as in real responses
		fmt.Fprintf(&b, "<DefaultCaseMember%d>some text of a column</DefaultCaseMember%d>", i, i)
	}
	fmt.Fprintf(&b, "<EmailAddress>patient%d@example.test</EmailAddress><FirstName>Test</FirstName><ID>%d</ID>"+
		"<LastModifiedDate>2/20/2026 4:02:11 PM</LastModifiedDate><LastName>Patient</LastName><PracticeId>1</PracticeId></PatientData>", n, n)
	return b.String()
}

// This test measures a list at the vendor's row limit. Live heap is what is reachable right after a
// collection, measured at every 250th row and compared with the value before the call; the response
// is generated while it is read and the rows are dropped. Speed is measured in a second run without
// explicit collections.
func TestSoakTenThousandRows(t *testing.T) {
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC() // twice: the first only empties the pools
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	prefix, _, _ := strings.Cut(responseTo("GetPatients", noError+authorized+"<Patients>|</Patients>"), "|")
	run := func(each func(n int)) (rows int, read int64, took time.Duration) {
		body := &generatedRows{left: 10_001, rest: prefix}
		c := newClient(t, roundTripper(func(*http.Request) (*http.Response, error) { return respond(200, xmlType, body), nil }), nil)
		start := time.Now()
		for p, err := range c.Patients.Rows(t.Context(), tebra.ListPatientsRequest{PracticeID: "1"}) {
			if err == tebra.ErrPartial { //nolint:errorlint // it is yielded unwrapped
				break
			}
			if err != nil || p.FirstName != "Test" {
				t.Fatal(err)
			}
			rows++
			each(rows)
		}
		return rows, body.read, time.Since(start)
	}
	before, peak := live(), int64(0)
	rows, read, _ := run(func(n int) {
		if n%250 == 0 {
			peak = max(peak, live()-before)
		}
	})
	_, _, took := run(func(int) {})
	t.Logf("%d rows, %.1f MB, peak extra live heap %.3f MB, %.0f rows/s, %.1f MB/s", rows, float64(read)/1e6, float64(peak)/1e6,
		float64(rows)/took.Seconds(), float64(read)/1e6/took.Seconds())
	if rows != 10_000 || read < 20_000_000 || peak > 8<<20 {
		t.Errorf("%d rows of %d bytes at a peak of %d, want 10,000 of at least 20 MB at no more than 8 MiB", rows, read, peak)
	}
}
