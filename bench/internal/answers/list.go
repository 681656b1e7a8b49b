package answers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// The list has as many rows as the vendor returns at most, on as many days as it takes to give each
// oddity its turn.
const (
	days         = 50
	visitsPerDay = 200
)

// list is a response of GetAppointments, as bytes, and what it says.
type list struct {
	plain     []byte // without oddities
	served    []byte
	visits    []tebratest.Visit
	untouched int // rows of served that are the same in plain
	odd       map[string]bool
	clinic    *tebratest.Clinic
	request   tebra.ListAppointmentsRequest
}

// newList asks the simulator day by day, with another oddity for each day if odd is set, and joins
// the responses.
func newList(ctx context.Context, days int, odd bool) (*list, error) {
	practice := tebratest.Practice{ID: 7, Name: "Example Practice", VisitsPerDay: visitsPerDay}
	first := time.Date(2026, 1, 5, 0, 0, 0, 0, time.UTC)
	sim, err := tebratest.New(tebratest.Config{
		Throttles: tebratest.Throttles{Off: true}, Now: func() time.Time { return first },
		Accounts: []tebratest.Account{{CustomerKey: "key", User: "user", Password: "password", Practices: []tebratest.Practice{practice}}},
	})
	if err != nil {
		return nil, err
	}
	l := &list{clinic: sim.Clinics()[0], odd: map[string]bool{}}
	// One day, whatever the rows say: a list at the vendor's limit is asked for again in halves of
	// its range, and that of a single day is not.
	l.request = tebra.ListAppointmentsRequest{PracticeName: practice.Name, From: first, To: first, Location: l.clinic.Location()}
	var kinds []tebratest.Oddity
	if odd {
		if kinds, err = changing(ctx, sim, practice.Name, first); err != nil {
			return nil, err
		}
	}
	var plain, served response
	for i := range days {
		day := first.AddDate(0, 0, i)
		if err := sim.SetOdd(); err != nil {
			return nil, err
		}
		p, err := askDay(ctx, sim, practice.Name, day)
		if err != nil {
			return nil, err
		}
		s := p
		if odd {
			if err := sim.SetOdd(kinds[i%len(kinds)]); err != nil {
				return nil, err
			}
			if s, err = askDay(ctx, sim, practice.Name, day); err != nil {
				return nil, err
			}
		}
		l.compare(p, s)
		l.visits = append(l.visits, l.clinic.Appointments(day)...)
		plain.append(p)
		served.append(s)
	}
	l.plain, l.served = plain.bytes(), served.bytes()
	return l, nil
}

// changing returns the oddities that change rows of a day and neither add nor remove any: with more
// rows, the list would be cut.
func changing(ctx context.Context, sim *tebratest.Server, practice string, day time.Time) ([]tebratest.Oddity, error) {
	if err := sim.SetOdd(); err != nil {
		return nil, err
	}
	plain, err := askDay(ctx, sim, practice, day)
	if err != nil {
		return nil, err
	}
	var all []tebratest.Oddity
	for _, o := range tebratest.RowOddities() {
		if err := sim.SetOdd(o); err != nil {
			return nil, err
		}
		odd, err := askDay(ctx, sim, practice, day)
		if err != nil {
			return nil, err
		}
		if len(odd.rows) == len(plain.rows) && !slices.Equal(odd.rows, plain.rows) {
			all = append(all, o)
		}
	}
	if len(all) == 0 {
		return nil, errors.New("simulator: no oddity changes a row")
	}
	return all, nil
}

// compare counts the rows that an oddity has left as they were, and remembers the others.
func (l *list) compare(plain, served response) {
	kept := map[string]bool{}
	for _, row := range served.rows {
		kept[row] = true
	}
	for _, row := range plain.rows {
		if kept[row] {
			l.untouched++
			continue
		}
		_, id, _ := strings.Cut(row, "<ID>")
		id, _, _ = strings.Cut(id, "<")
		l.odd[id] = true
	}
}

// response is the text of a response, cut at its rows.
type response struct {
	before, after string
	rows          []string
}

func (r *response) append(o response) {
	r.before, r.after = o.before, o.after
	r.rows = append(r.rows, o.rows...)
}

func (r *response) bytes() []byte {
	var b bytes.Buffer
	b.WriteString(r.before)
	for _, row := range r.rows {
		b.WriteString(row)
	}
	b.WriteString(r.after)
	return b.Bytes()
}

const (
	startOfRow = "<AppointmentData>"
	endOfRow   = "</AppointmentData>"
)

// askDay returns the simulator's list of a day.
func askDay(ctx context.Context, sim *tebratest.Server, practice string, day time.Time) (response, error) {
	const request = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns="http://www.kareo.com/api/schemas/">` +
		`<s:Body><GetAppointments><request><RequestHeader><CustomerKey>key</CustomerKey><Password>password</Password><User>user</User>` +
		`</RequestHeader><Fields/><Filter><EndDate>%[2]s</EndDate><PracticeName>%[1]s</PracticeName><StartDate>%[2]s</StartDate></Filter>` +
		`</request></GetAppointments></s:Body></s:Envelope>`
	body := fmt.Sprintf(request, practice, day.Format(time.DateOnly))
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://sim"+tebratest.Path, strings.NewReader(body))
	if err != nil {
		return response{}, err
	}
	r.Header.Set("Content-Type", "text/xml")
	r.Header.Set("SOAPAction", "http://www.kareo.com/api/schemas/KareoServices/GetAppointments")
	resp, err := sim.Client().Do(r)
	if err != nil {
		return response{}, err
	}
	text, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return response{}, err
	}
	parts := strings.SplitAfter(string(text), endOfRow)
	before, firstRow, found := strings.Cut(parts[0], startOfRow)
	if !found || resp.StatusCode != http.StatusOK {
		return response{}, fmt.Errorf("simulator: status %d, or a list without rows", resp.StatusCode)
	}
	parts[0] = startOfRow + firstRow
	last := len(parts) - 1
	return response{before: before, rows: parts[:last], after: parts[last]}, nil
}
