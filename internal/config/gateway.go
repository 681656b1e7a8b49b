package config

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// Gateway is what cmd/gateway runs with. It never calls the vendor, so it has no endpoint.
type Gateway struct {
	Mode      Mode
	Redis     Redis
	LedgerURL secret.Value
	Keyset    secret.Value
	Tenants   []Tenant
	Addr      string   // host:port to serve the API on
	Keys      []APIKey // who may call; at least one
	Health    string   // host:port to serve health on; empty serves none
	// StartWait is how long to wait for Redis and the ledger at start; zero gives up at the first refusal.
	StartWait time.Duration
}

// APIKey is one caller of the API, as a line of ROUNDS_API_KEYS describes it. The key itself is known to its owner alone.
type APIKey struct {
	Name   string            // of the caller, for logs and limits; spelt as tenant IDs are, unique in the file
	Tenant string            // the one tenant whose data it reaches
	Hash   [sha256.Size]byte // SHA-256 of the key
}

// NewAPIKey makes up a key for a caller. The key is returned beside its description, and nothing else keeps it. The error
// names what is wrong with name or tenant.
func NewAPIKey(name, tenant string) (APIKey, secret.Value, error) {
	if !validID(name) || !validID(tenant) {
		return APIKey{}, "", errors.New("config: name and tenant are 1 to 40 of a-z, 0-9 and '-', a letter or digit first")
	}
	key := "rounds_" + rand.Text() // whoever finds it somewhere can tell what it opens
	return APIKey{Name: name, Tenant: tenant, Hash: sha256.Sum256([]byte(key))}, secret.Value(key), nil
}

// Line returns the key's line for the file.
func (k APIKey) Line() string { return k.Name + " " + k.Tenant + " " + hex.EncodeToString(k.Hash[:]) }

// LoadGateway reads and checks the gateway's environment. The error, if any, is an [*Error] with every problem.
func LoadGateway(getenv func(string) string) (Gateway, error) {
	l := newLoader(getenv)
	g := Gateway{
		Mode:      l.mode,
		Redis:     l.redis(),
		LedgerURL: l.ledger(),
		Keyset:    l.keyset(),
		Tenants:   l.tenants(),
		Addr:      l.address("ROUNDS_GATEWAY_ADDR", l.vars.Gateway, gatewayAddr),
		Keys:      l.apiKeys(),
		Health:    l.health(gatewayHealth),
		StartWait: l.startWait(),
	}
	l.collector()
	return g, l.problems.err()
}

const (
	gatewayAddr   = ":8080"
	gatewayHealth = ":8083"

	apiKeysName = "ROUNDS_API_KEYS"
	maxAPIKeys  = 1000
	// maxAPIKeysFile is room for that many lines of the longest names, and as much again for remarks.
	maxAPIKeysFile = 512 << 10
)

// apiKeys reads who may call. A gateway that nobody may call is somebody's mistake, and so is one without the file.
func (l *loader) apiKeys() []APIKey {
	if l.vars.APIKeys == "" {
		l.problems.add(apiKeysName, "is not set", `set it to a file of lines "name tenant sha256-of-key"; "rounds apikey new" makes one`)
		return nil
	}
	data, wrong, fix := readFile(l.vars.APIKeys, maxAPIKeysFile, false)
	if wrong != "" {
		l.problems.add(apiKeysName, wrong, fix)
		return nil
	}
	keys, problems := ParseAPIKeys(data)
	for _, p := range problems {
		l.problems.add(p.Variable, p.Wrong, p.Fix)
	}
	return keys
}

// ParseAPIKeys reads the text of a key file: a name, a tenant and the SHA-256 of a key in 64 hexadecimal digits on each
// line, apart from empty lines and those that begin with '#'. It returns the keys, or everything that is wrong, told by
// the number of the line and never by what it holds: somebody will put the key itself there.
func ParseAPIKeys(data string) ([]APIKey, []Problem) {
	var keys []APIKey
	var ps problems
	names, hashes := map[string]bool{}, map[[sha256.Size]byte]bool{}
	number := 0
	for line := range strings.Lines(data) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		k, wrong, fix := parseAPIKey(line)
		switch {
		case wrong != "":
		case names[k.Name]:
			wrong, fix = "has the name of an earlier one", "give each key a name of its own"
		case hashes[k.Hash]:
			wrong, fix = "has the key of an earlier one", "give each caller a key of its own"
		}
		if wrong != "" {
			ps.add(apiKeysName, fmt.Sprintf("line %d %s", number, wrong), fix)
			if len(ps) == maxFaults {
				break
			}
			continue
		}
		names[k.Name], hashes[k.Hash] = true, true
		keys = append(keys, k)
	}
	switch {
	case len(keys) > maxAPIKeys:
		ps.add(apiKeysName, fmt.Sprintf("lists more than %d keys", maxAPIKeys), "remove those that nobody uses")
	case len(keys) == 0 && len(ps) == 0:
		ps.add(apiKeysName, "lists no key", `add a line that "rounds apikey new" prints`)
	}
	if len(ps) > 0 {
		return nil, ps
	}
	return keys, nil
}

// maxFaults bounds how many faults of one file are told: a file of another kind has one on every line.
const maxFaults = 20

func parseAPIKey(line string) (k APIKey, wrong, fix string) {
	fields := strings.Fields(line)
	if len(fields) != 3 {
		return k, "is not a name, a tenant and a hash", `write it like "front-desk clinic-a SHA256-OF-KEY"`
	}
	k.Name, k.Tenant = fields[0], fields[1]
	hash, err := hex.DecodeString(fields[2])
	switch {
	case !validID(k.Name):
		return k, "has no usable name", "use 1 to 40 of a-z, 0-9 and '-', a letter or digit first"
	case !validID(k.Tenant):
		return k, "has no usable tenant", "use the tenant's id"
	case err != nil || len(hash) != sha256.Size:
		return k, "has no SHA-256", `use 64 hexadecimal digits, as "sha256sum" prints them; never the key itself`
	}
	k.Hash = [sha256.Size]byte(hash)
	if k.Hash == sha256.Sum256(nil) {
		return k, "has the SHA-256 of nothing", `let "rounds apikey new" make key and line`
	}
	return k, "", ""
}
