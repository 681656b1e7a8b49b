package config

import (
	"net/netip"
	"net/url"
	"strings"
)

// endpoint returns the vendor's URL. Credentials and patients' data are sent there, so production
// accepts only https to a host name that can have a public certificate: no address literal, no name
// of this machine or of a private network.
func (l *loader) endpoint() string {
	const name = "ROUNDS_TEBRA_ENDPOINT"
	u, err := url.Parse(l.vars.Endpoint)
	if err != nil || (u.Scheme != "https" && u.Scheme != "http") || u.Hostname() == "" {
		l.problems.add(name, "is not an https URL", "leave it out for the vendor's own, or set it to the service's URL")
		return ""
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		l.problems.add(name, "has a user, a query or a fragment", "keep only scheme, host and path; credentials belong to the tenants")
	}
	if l.mode == Dev {
		return l.vars.Endpoint
	}
	if u.Scheme != "https" {
		l.problems.add(name, "is plain http", "use https, or ROUNDS_ENV=dev with a simulator")
	}
	if !publicName(u.Hostname()) {
		l.problems.add(name, "is not a public host name", "use the vendor's host name, or ROUNDS_ENV=dev with a simulator")
	}
	return l.vars.Endpoint
}

// publicName reports whether host looks like a name in the public DNS. It recognizes shortened and
// hexadecimal addresses ("127.1", "0x7f.1") by their last label: no top-level domain starts with a
// digit.
func publicName(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if _, err := netip.ParseAddr(host); err == nil {
		return false
	}
	labels := strings.Split(host, ".")
	last := labels[len(labels)-1]
	if len(labels) < 2 || last == "" || last[0] >= '0' && last[0] <= '9' {
		return false
	}
	switch last {
	case "localhost", "local", "internal", "localdomain", "lan", "home", "corp", "test", "invalid", "example":
		return false
	}
	return true
}
