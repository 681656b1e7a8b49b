package config

import (
	"github.com/workflow-bolt/rounds/internal/access"
)

// Gateway is what cmd/gateway runs with. It never calls the vendor, so it has no endpoint.
type Gateway struct {
	Base
	Addr string       // host:port to serve the API on
	Keys []access.Key // the callers; at least one
}

// LoadGateway reads and checks the gateway's environment. The error, if any, is an [*Error] with
// every problem.
func LoadGateway(getenv func(string) string) (Gateway, error) {
	l := newLoader(getenv)
	g := Gateway{
		Base: l.base(gatewayHealth),
		Addr: l.address("ROUNDS_GATEWAY_ADDR", l.vars.Gateway, gatewayAddr),
		Keys: l.apiKeys(),
	}
	l.collector()
	return g, l.problems.err()
}

const (
	gatewayAddr   = ":8080"
	gatewayHealth = ":8083"

	apiKeysName = "ROUNDS_API_KEYS"
	// maxAPIKeysFile has room for 1000 lines of the longest names, and as much again for comments.
	maxAPIKeysFile = 512 << 10
)

// apiKeys returns the callers. A missing file or an empty list is reported: a gateway without
// callers is a mistake.
func (l *loader) apiKeys() []access.Key {
	if l.vars.APIKeys == "" {
		l.problems.add(apiKeysName, "is not set", `set it to a file of lines "name tenant sha256-of-key"; "rounds apikey new" prints one`)
		return nil
	}
	data, wrong, fix := readFile(l.vars.APIKeys, maxAPIKeysFile, false)
	if wrong != "" {
		l.problems.add(apiKeysName, wrong, fix)
		return nil
	}
	keys, faults := access.ParseKeys(data)
	for _, f := range faults {
		l.problems.add(apiKeysName, f.Wrong, f.Fix)
	}
	return keys
}
