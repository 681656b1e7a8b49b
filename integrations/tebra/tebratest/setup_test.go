package tebratest_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// noon is the start of the simulations: noon of a Tuesday in Chicago.
var noon = time.Date(2026, 2, 24, 18, 0, 0, 0, time.UTC)

func newServer(t testing.TB, config tebratest.Config) *tebratest.Server {
	t.Helper()
	if config.Now == nil {
		config.Now = func() time.Time { return noon }
	}
	s, err := tebratest.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// newClient returns a client of s with the credentials of a. edits change its options.
func newClient(t testing.TB, s *tebratest.Server, a tebratest.Account, edits ...func(*tebra.Options)) *tebra.Client {
	t.Helper()
	o := tebra.Options{Account: a.CustomerKey, HTTPClient: s.Client(), Credentials: a.Credentials()}
	for _, edit := range edits {
		edit(&o)
	}
	c, err := tebra.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// oneAccount returns a Config with one account, which has the given practices.
func oneAccount(practices ...tebratest.Practice) tebratest.Config {
	return tebratest.Config{Accounts: []tebratest.Account{{CustomerKey: "k", User: "u", Password: "p", Practices: practices}}}
}

var unthrottled = tebratest.Throttles{Off: true}

func listDay(t testing.TB, c *tebra.Client, at *tebratest.Clinic, from, to time.Time) []tebra.Appointment {
	t.Helper()
	list, err := c.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{
		PracticeName: at.Practice().Name, From: from, To: to, Location: at.Location(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return list.Rows
}

func byID(rows []tebra.Appointment) map[string]tebra.Appointment {
	m := map[string]tebra.Appointment{}
	for _, r := range rows {
		m[r.ID.Reveal()] = r
	}
	return m
}

func second(_ string, err error) error { return err }

// header returns a request header in the schema's order.
func header(a tebratest.Account) string {
	return "<k:RequestHeader><k:CustomerKey>" + a.CustomerKey + "</k:CustomerKey><k:Password>" + a.Password +
		"</k:Password><k:User>" + a.User + "</k:User></k:RequestHeader>"
}

// post sends an operation's request with the given members, without the client, and returns status
// and body of the response.
func post(t testing.TB, s *tebratest.Server, op, members string) string {
	t.Helper()
	return postSlowly(t, s, op, members, func() {})
}

// delayedBody is a body that calls before when it reaches its end.
type delayedBody struct {
	io.Reader

	before func()
}

func (r *delayedBody) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.before()
		r.before = func() {}
	}
	return n, err
}

// postSlowly is like post and calls before when the server has read the body to its end.
func postSlowly(t testing.TB, s *tebratest.Server, op, members string, before func()) string {
	t.Helper()
	body := `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:k="http://www.kareo.com/api/schemas/" ` +
		`xmlns:n="http://www.kareo.com/api/schemas" xmlns:i="http://www.w3.org/2001/XMLSchema-instance"><s:Body><k:` + op + `><k:request>` + members + `</k:request></k:` + op + `></s:Body></s:Envelope>`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://sim"+tebratest.Path, &delayedBody{strings.NewReader(body), before})
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "text/xml; charset=utf-8")
	r.Header.Set("SOAPAction", "http://www.kareo.com/api/schemas/KareoServices/"+op)
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	content, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", resp.StatusCode, content)
}

// revealed lets go-cmp show differences in masked texts. All data is synthetic.
var revealed = cmp.Transformer("reveal", phi.Text.Reveal)

// env is a simulator with a client and a practice, whose staff is clinic.
type env struct {
	*tebra.Client

	sim    *tebratest.Server
	clinic *tebratest.Clinic
	id     string // of the practice
}

func newEnv(t testing.TB, config tebratest.Config) env {
	t.Helper()
	config.Throttles.Off = true
	s := newServer(t, config)
	clinic := s.Clinics()[0]
	return env{Client: newClient(t, s, clinic.Account()), sim: s, clinic: clinic, id: "1"}
}

func (w env) detail(t testing.TB, id string) *tebra.AppointmentDetail {
	t.Helper()
	a, err := w.Appointments.Get(t.Context(), id, w.clinic.Location())
	if err != nil {
		t.Fatal(err)
	}
	return a
}
