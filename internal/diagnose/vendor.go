package diagnose

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/phi"
)

const vendorMeans = "fresh data comes from there; without it, boards are served with their age"

// checkVendor connects to the endpoint, with TLS if its URL has https, and sends nothing.
func checkVendor(ctx context.Context, d *deployment) []Finding {
	u, err := url.Parse(d.config.Endpoint)
	if err != nil || u.Hostname() == "" {
		return []Finding{skipped("vendor", "ROUNDS_TEBRA_ENDPOINT is not usable")}
	}
	f := Finding{Check: "vendor", Grade: OK, Means: vendorMeans}
	begun := time.Now()
	secure, err := connect(ctx, u)
	took := time.Since(begun).Round(10 * time.Microsecond)
	if err != nil {
		f.Grade, f.Evidence = Fail, fmt.Sprintf("no connection to %s: %s", u.Host, dialReason(err))
		f.Fix = "check that the firewall and DNS of this host allow it; the vendor may have an outage"
		return []Finding{f}
	}
	f.Evidence = fmt.Sprintf("connected to %s in %s, %s", u.Host, took, secure)
	return []Finding{f}
}

// connect opens and closes a connection, and describes its encryption.
func connect(ctx context.Context, u *url.URL) (secure string, err error) {
	port := u.Port()
	if port == "" {
		port = map[string]string{"https": "443", "http": "80"}[u.Scheme]
	}
	addr := net.JoinHostPort(u.Hostname(), port)
	if u.Scheme != "https" {
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
		if err != nil {
			return "", err
		}
		return "plain http", conn.Close()
	}
	conn, err := (&tls.Dialer{Config: &tls.Config{MinVersion: tls.VersionTLS12}}).DialContext(ctx, "tcp", addr)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	t, ok := conn.(*tls.Conn)
	if !ok {
		return "", errors.New("not a TLS connection")
	}
	state := t.ConnectionState()
	return fmt.Sprintf("%s, certificate valid until %s", tls.VersionName(state.Version),
		state.PeerCertificates[0].NotAfter.UTC().Format(time.DateOnly)), nil
}

// dialReason shortens the errors of package net.
func dialReason(err error) string {
	var dns *net.DNSError
	var cert *tls.CertificateVerificationError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return "the name does not resolve"
	case errors.As(err, &cert):
		return "its certificate is not trusted"
	case errors.Is(err, context.DeadlineExceeded):
		return "no answer in time"
	case errors.As(err, &op):
		return op.Err.Error()
	}
	return "the connection failed"
}

// checkVendorCall makes one call per tenant if the options ask for it. The calls pass the same gate
// as the workers', so that a check never causes an account to be throttled.
func checkVendorCall(ctx context.Context, d *deployment) []Finding {
	const name = "vendor-call"
	switch {
	case !d.callVendor:
		return []Finding{skipped(name, "no call was made; use --call-vendor to make one for each tenant")}
	case d.queue == nil:
		return []Finding{skipped(name, "calls are paced in the queue's Redis, and its URL is not usable")}
	case len(d.config.Tenants) == 0:
		return []Finding{skipped(name, "ROUNDS_TENANTS lists no tenant")}
	}
	gate, err := flow.New(flow.Options{Redis: d.queue, MaxWait: callLimit / 2}) // GetThrottles has the longest interval of all
	if err != nil {
		return []Finding{skipped(name, err.Error())}
	}
	found := make([]Finding, len(d.config.Tenants))
	var wg sync.WaitGroup
	for i, t := range d.config.Tenants {
		wg.Go(func() { found[i] = d.callFor(ctx, gate, t) })
	}
	wg.Wait()
	return found
}

func (d *deployment) callFor(ctx context.Context, gate tebra.Gate, t config.Tenant) Finding {
	f := Finding{Check: "vendor-call", Grade: OK, Means: "the vendor must accept the tenant's credentials"}
	client, err := tebra.New(tebra.Options{
		Endpoint: d.config.Endpoint, Insecure: d.config.Mode == config.Dev, Account: t.ID, Gate: gate,
		Credentials: tebra.Credentials{
			CustomerKey: phi.Text(t.Credentials.CustomerKey.Reveal()), User: phi.Text(t.Credentials.User.Reveal()),
			Password: phi.Text(t.Credentials.Password.Reveal()),
		},
	})
	if err != nil {
		f.Grade, f.Evidence, f.Fix = Fail, t.ID+": "+err.Error(), "correct the tenant in ROUNDS_TENANTS"
		return f
	}
	begun := time.Now()
	rows, err := client.System.Throttles(tebra.Interactive(ctx))
	var later interface {
		NotBefore() (t time.Time, reason string)
	}
	var refused *tebra.Error
	switch {
	case err == nil:
		f.Evidence = fmt.Sprintf("%s: GetThrottles answered %d rows in %s", t.ID, len(rows), time.Since(begun).Round(time.Millisecond))
	case errors.As(err, &later):
		at, reason := later.NotBefore()
		f.Grade, f.Evidence = Warn, fmt.Sprintf("%s: no call before %s (%s)", t.ID, at.UTC().Format(time.RFC3339), reason)
		f.Fix = "run the check again after that time; the budget and breakers of the workers hold this call back too"
	case errors.As(err, &refused) && (refused.Code == tebra.Unauthenticated || refused.Code == tebra.Denied):
		f.Grade, f.Evidence = Fail, t.ID+": "+err.Error()
		f.Fix = "correct the tenant's customer_key, user and password, and check that the user has API access"
	default:
		f.Grade, f.Evidence = Fail, t.ID+": "+err.Error()
		f.Fix = "try again later; if the failure persists, see the vendor's status page"
	}
	return f
}
