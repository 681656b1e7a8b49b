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

// DefaultEndpoint is the vendor's only service address. There is no sandbox: calls to it are calls
// to production.
const DefaultEndpoint = "https://webservice.kareo.com/services/soap/2.1/KareoServices.svc"

// Credentials identify one API user of one Tebra account. Every request body contains them.
type Credentials struct {
	CustomerKey phi.Text
	User        phi.Text
	Password    phi.Text
}

// Options configure a Client. Account and all Credentials are required. For every other option the
// zero value is usable.
type Options struct {
	Endpoint string // "" means DefaultEndpoint
	// Insecure allows a plain http endpoint. It is meant for simulators only, since the credentials
	// would be sent unencrypted.
	Insecure bool
	// Account is the name under which the Gate counts calls. Clients of one vendor account must use
	// the same name.
	Account     string
	Credentials Credentials // the vendor's API user
	// Login is a name of the version of Credentials, which the Gate gets with each call. "" means
	// unknown.
	Login string
	Gate  Gate // nil means no flow control; for tests and one-off tools only
	// HTTPClient is copied. If it is nil or has no Transport, the copy gets one with pooled
	// connections, TLS 1.2 or later and no proxy from the environment. Redirects are always
	// rejected.
	HTTPClient *http.Client
	Zones      Zones // which zone list times are requested in; 0 is PracticeWall
	// TypedWall selects how times of single appointments without a zone are read: true means the
	// practice's local time, false means UTC.
	TypedWall bool
	MaxBytes  int64 // maximum size of a decompressed response; 0 means 64 MiB

	// Observe, unless nil, is called once for every call, after the call ends and before the method
	// returns. A request that a method rejects as invalid is not a call. Observe must not block,
	// because the caller waits for it.
	Observe func(ctx context.Context, o Observation)
	// Trace, unless nil, is called when a call starts. It returns the context for the call and a
	// function that is called when the call ends.
	Trace func(ctx context.Context, operation string) (context.Context, func(Code))
}

// Observation describes one finished call, for metrics and for the audit of access to patient data.
// It contains nothing that identifies a person.
type Observation struct {
	Account     string
	Operation   string
	Class       Class
	PHI         bool          // the operation concerns patients
	Interactive bool          // the context was marked by Interactive
	Code        Code          // "" means success
	Reason      string        // see Error.Reason
	Sent        bool          // the vendor may have seen the request
	Attempts    int           // number of attempts; 0 if the request could not be encoded
	Latency     time.Duration // of the whole call: waiting at the Gate, retries and decoding
	Bytes       int64         // of the last response, decompressed
	Rows        int           // rows read, including placeholder rows
	SetAside    int           // rows that could not be read
	Unread      int           // records with members that could not be read
	Repaired    int           // characters in texts that XML does not allow, and that were replaced
}

// Client calls the vendor for one account. It is safe for concurrent use and starts no goroutines.
// The zero Client is not usable; call New.
type Client struct {
	Appointments *AppointmentsService // the schedule
	Patients     *PatientsService     // patients
	Directory    *DirectoryService    // practices, providers, service locations, procedure codes
	System       *SystemService       // the account itself

	endpoint string
	options  Options
	http     *http.Client
	worked   lastWorked
}

// New returns a client, or an error that names the invalid option. It sends nothing.
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
			return nil, fmt.Errorf("tebra: options: %s is empty or contains characters that XML cannot represent", c.name)
		}
	}
	switch {
	case o.MaxBytes < 0:
		return nil, errors.New("tebra: options: max bytes is negative")
	case o.Zones > Greenwich:
		return nil, errors.New("tebra: options: unknown zones")
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
		return "", errors.New("tebra: options: endpoint is not an absolute URL")
	case u.User != nil || u.Fragment != "":
		return "", errors.New("tebra: options: endpoint contains a user or a fragment")
	case u.Scheme == "https", u.Scheme == "http" && insecure:
		return raw, nil
	}
	return "", errors.New("tebra: options: endpoint is not https")
}

// httpClient returns a copy of given that rejects redirects. A redirect would send the credentials,
// which are in the body, to whatever address it names.
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
		// No Proxy: an environment variable must not decide where patient data is sent.
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

// Interactive returns a context that marks calls as interactive: a person waits for the response. A
// Gate may let such calls use a reserved share of the budget.
func Interactive(ctx context.Context) context.Context {
	return context.WithValue(ctx, interactiveKey{}, true)
}

func isInteractive(ctx context.Context) bool {
	marked, _ := ctx.Value(interactiveKey{}).(bool)
	return marked
}
