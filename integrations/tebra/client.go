package tebra

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// DefaultEndpoint is the vendor's only service address. There is no sandbox: calls to it are calls to production.
const DefaultEndpoint = "https://webservice.kareo.com/services/soap/2.1/KareoServices.svc"

// Credentials are one API user of one Tebra account. They travel in every request's body.
type Credentials struct {
	CustomerKey phi.Text
	User        phi.Text
	Password    phi.Text
}

// Options configure a Client. Account and all Credentials are required; every other zero value has a meaning.
type Options struct {
	Endpoint    string       // "" is DefaultEndpoint
	Insecure    bool         // accept a plain http endpoint: for simulators only, since credentials would travel in clear
	Account     string       // names whose budget the calls spend; clients of one vendor account must share it
	Credentials Credentials  // whom the vendor sees
	Gate        Gate         // nil is no flow control at all: tests and one-off tools
	HTTPClient  *http.Client // without a Transport: pooled, TLS 1.2, no proxy variables; redirects are refused either way
	Zones       Zones        // how schedules are asked for their times; 0 is the practice's wall clock
	TypedWall   bool         // times of single appointments that name no zone are the practice's wall clock; false takes them for UTC
	MaxBytes    int64        // most bytes of an answer, decompressed; 0 is 64 MiB

	// Observe, unless nil, is told of every call once, after it ended and before the method returns. What a method refuses to
	// ask is no call. It must not block: the call's caller waits for it.
	Observe func(ctx context.Context, o Observation)
	// Trace, unless nil, is told of every call's start and returns the context to go on with and what to call at its end.
	Trace func(ctx context.Context, operation string) (context.Context, func(Code))
}

// Observation is what one call was, for metrics and for the audit of access to patient data. It names nobody.
type Observation struct {
	Account     string
	Operation   string
	Class       Class
	PHI         bool          // the operation is about a patient
	Interactive bool          // a person waited
	Code        Code          // "" is success
	Reason      string        // see Error.Reason
	Sent        bool          // the vendor may have seen it
	Attempts    int           // attempts, each of which the Gate was asked for; 0 when the request could not be written
	Latency     time.Duration // whole call: waiting at the Gate, retries and decoding included
	Bytes       int64         // of the last answer, decompressed
	Rows        int           // rows read, placeholders included
}

// Client speaks to the vendor for one account. It is safe for concurrent use and holds no goroutine.
type Client struct {
	Appointments *AppointmentsService // the schedule
	Patients     *PatientsService     // people
	Directory    *DirectoryService    // providers
	System       *SystemService       // the account itself

	endpoint string
	options  Options
	http     *http.Client
}

// New returns a client, or an error naming the option that does not do. It sends nothing.
func New(o Options) (*Client, error) {
	endpoint, err := checkEndpoint(o.Endpoint, o.Insecure)
	if err != nil {
		return nil, err
	}
	if o.Account == "" {
		return nil, errors.New("tebra: options: account is empty")
	}
	for _, c := range []struct {
		name   string
		secret phi.Text
	}{{"customer key", o.Credentials.CustomerKey}, {"user", o.Credentials.User}, {"password", o.Credentials.Password}} {
		if c.secret == "" || !isXMLText(c.secret.Reveal()) {
			return nil, fmt.Errorf("tebra: options: %s is empty or not text", c.name)
		}
	}
	switch {
	case o.MaxBytes < 0:
		return nil, errors.New("tebra: options: most bytes are negative")
	case o.Zones > Greenwich:
		return nil, errors.New("tebra: options: zones are neither of the two ways")
	case o.MaxBytes == 0:
		o.MaxBytes = 64 << 20
	}
	c := &Client{endpoint: endpoint, options: o, http: httpClient(o.HTTPClient)}
	c.Appointments = &AppointmentsService{client: c}
	c.Patients = &PatientsService{client: c}
	c.Directory = &DirectoryService{client: c}
	c.System = &SystemService{client: c}
	return c, nil
}

func checkEndpoint(raw string, insecure bool) (string, error) {
	if raw == "" {
		return DefaultEndpoint, nil
	}
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "":
		return "", errors.New("tebra: options: endpoint is no absolute address")
	case u.User != nil || u.Fragment != "":
		return "", errors.New("tebra: options: endpoint holds a user or a fragment")
	case u.Scheme == "https", u.Scheme == "http" && insecure:
		return raw, nil
	}
	return "", errors.New("tebra: options: endpoint is not https")
}

// httpClient copies the caller's client, so that refusing redirects is not left to them: a redirect would carry the
// credentials, which are in the body, to wherever it points.
func httpClient(given *http.Client) *http.Client {
	var c http.Client
	if given != nil {
		c = *given
	}
	if c.Transport == nil {
		c.Transport = defaultTransport()
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

func defaultTransport() *http.Transport {
	return &http.Transport{
		// No Proxy: a variable in the environment must not decide where patient data goes.
		DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		TLSClientConfig:     &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConns:        64,
		MaxIdleConnsPerHost: 64,
		IdleConnTimeout:     60 * time.Second,
		ForceAttemptHTTP2:   true,
	}
}

type interactiveKey struct{}

// Interactive marks the calls made with the returned context as ones that a person waits for: gates let them use the
// reserved share.
func Interactive(ctx context.Context) context.Context {
	return context.WithValue(ctx, interactiveKey{}, true)
}

func isInteractive(ctx context.Context) bool {
	marked, _ := ctx.Value(interactiveKey{}).(bool)
	return marked
}
