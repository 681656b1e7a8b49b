package tebra_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

// canary represents patient data in responses, which must not appear in errors.
const canary = "CANARY-Zanzibar"

const (
	envelopeOpen  = `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>`
	envelopeClose = `</s:Body></s:Envelope>`
	noError       = `<ErrorResponse><ErrorMessage i:nil="true"/><IsError>false</IsError><StackTrace i:nil="true"/></ErrorResponse>`
	authorized    = `<SecurityResponse><Authenticated>true</Authenticated><Authorized>true</Authorized>` +
		`<CustomerId>1</CustomerId><CustomerKeyValid>true</CustomerKeyValid></SecurityResponse>`
)

// responseTo wraps the members of op's result as the vendor does.
func responseTo(op, members string) string {
	return envelopeOpen + `<` + op + `Response xmlns="http://www.kareo.com/api/schemas/"><` + op +
		`Result xmlns:i="http://www.w3.org/2001/XMLSchema-instance">` + members +
		`</` + op + `Result></` + op + `Response>` + envelopeClose
}

func appointments(rows string) string {
	return responseTo("GetAppointments", noError+authorized+"<Appointments>"+rows+"</Appointments>")
}

func businessError(message string) string {
	return responseTo("GetAppointments", "<ErrorResponse><ErrorMessage>"+message+"</ErrorMessage><IsError>true</IsError>"+
		"<StackTrace>"+canary+"</StackTrace></ErrorResponse>"+authorized+"<Appointments><AppointmentData/></Appointments>")
}

func fault(code string) string { return faultWithText(code, canary) }

func faultWithText(code, text string) string {
	return envelopeOpen + `<s:Fault><faultcode xmlns:a="urn:x">` + code + `</faultcode><faultstring xml:lang="en-US">` +
		text + `</faultstring><detail><x xmlns="urn:y">` + canary + `</x></detail></s:Fault>` + envelopeClose
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, media string, body io.Reader) *http.Response {
	h := http.Header{}
	if media != "" {
		h.Set("Content-Type", media)
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(body), ContentLength: -1}
}

// always returns the same response to every request.
func always(status int, media, body string) roundTripper {
	return func(*http.Request) (*http.Response, error) {
		return respond(status, media, strings.NewReader(body)), nil
	}
}

func newClient(t testing.TB, transport http.RoundTripper, edit func(*tebra.Options)) *tebra.Client {
	t.Helper()
	o := tebra.Options{
		Account:     "account-a",
		Credentials: tebra.Credentials{CustomerKey: "key-1", User: "user@example.test", Password: `p<&>"'w`},
		HTTPClient:  &http.Client{Transport: transport},
	}
	if edit != nil {
		edit(&o)
	}
	c, err := tebra.New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func oneDay() tebra.ListAppointmentsRequest {
	day := time.Date(2026, 2, 24, 0, 0, 0, 0, time.UTC)
	return tebra.ListAppointmentsRequest{PracticeName: "Example Practice", From: day, To: day, Location: time.UTC}
}

// gate is a Gate that uses grant and records calls and outcomes.
type gate struct {
	mu       sync.Mutex
	grant    func(n int) (sendBy time.Time, err error) // n counts from 1; nil grants without limit
	calls    []tebra.Call
	outcomes []tebra.Outcome
	ended    bool // a context passed to Done had ended
}

type pass struct {
	gate   *gate
	sendBy time.Time
}

func (g *gate) Enter(_ context.Context, c tebra.Call) (tebra.Pass, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.calls = append(g.calls, c)
	if g.grant == nil {
		return &pass{gate: g}, nil
	}
	by, err := g.grant(len(g.calls))
	if err != nil {
		return nil, err
	}
	return &pass{gate: g, sendBy: by}, nil
}

func (p *pass) Confirm(context.Context) bool { return p.sendBy.IsZero() || time.Now().Before(p.sendBy) }

func (p *pass) Done(ctx context.Context, o tebra.Outcome) {
	p.gate.mu.Lock()
	defer p.gate.mu.Unlock()
	p.gate.ended = p.gate.ended || ctx.Err() != nil
	p.gate.outcomes = append(p.gate.outcomes, o)
}

// notNow is a Gate's refusal.
type notNow struct{ at time.Time }

func (l *notNow) Error() string                  { return "not now" }
func (l *notNow) NotBefore() (time.Time, string) { return l.at, "pace" }

func observeInto(seen *[]tebra.Observation) func(context.Context, tebra.Observation) {
	return func(_ context.Context, o tebra.Observation) { *seen = append(*seen, o) }
}
