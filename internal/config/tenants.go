package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/internal/zone"
)

// Tenant is one account with the vendor, as described in the file that ROUNDS_TENANTS names.
type Tenant struct {
	ID          string            // 1 to 40 of a-z, 0-9 and '-', unique in the file
	TimeZone    string            // an IANA zone that this machine can load, for practices without their own
	Hours       map[string]string // opening hours of each practice in its zone, for mon to sun, such as "08:00-17:30"; a missing day is closed
	Credentials Credentials
	Practices   []Practice // at least one
	// Weight is its share of the workers while tenants compete for them, relative to the others: 1
	// to 100; 1 if the file does not say.
	Weight int
}

// Credentials are what a tenant authenticates with at the vendor.
type Credentials struct {
	CustomerKey secret.Value
	User        secret.Value
	Password    secret.Value
}

// Practice is one practice of a tenant.
type Practice struct {
	ID   string // the vendor's number, unique in the tenant
	Name string // exactly the vendor's, because list calls filter by it; unique in the tenant
	// TimeZone is an IANA zone that this machine can load; "" means the tenant's.
	TimeZone string
}

const (
	tenantsName = "ROUNDS_TENANTS"
	maxTenants  = 10_000
	maxWeight   = 100
)

var days = []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

// tenants reads and checks the tenants' file. It is optional, because the ledger keeps earlier
// tenants.
func (l *loader) tenants() []Tenant {
	if l.vars.Tenants == "" {
		return nil
	}
	data, wrong, fix := readFile(l.vars.Tenants, maxTenantsFile, false)
	if wrong != "" {
		l.problems.add(tenantsName, wrong, fix)
		return nil
	}
	file, wrong, fix := parseTenants(data)
	if wrong != "" {
		l.problems.add(tenantsName, wrong, fix)
		return nil
	}
	switch n := len(file.Tenants); {
	case n == 0:
		l.problems.add(tenantsName, "lists no tenant", "add one below tenants:, or leave the variable out")
	case n > maxTenants:
		l.problems.add(tenantsName, fmt.Sprintf("lists more than %d tenants", maxTenants), "split the deployment")
		return nil
	}
	seen := make(map[string]bool, len(file.Tenants))
	out := make([]Tenant, 0, len(file.Tenants))
	for i, raw := range file.Tenants {
		c := tenantCheck{loader: l, where: fmt.Sprintf("tenant %d", i+1)}
		switch _, err := tenant.Parse(raw.ID); {
		case err != nil:
			c.wrong("has no usable id", "use 1 to 40 of a-z, 0-9 and '-', a letter or digit first")
		case seen[raw.ID]:
			c.wrong("has the id of an earlier one", "give each tenant its own id")
		default:
			c.where += " (" + raw.ID + ")"
		}
		seen[raw.ID] = true
		out = append(out, c.tenant(raw))
	}
	return out
}

// tenantCheck checks one tenant and names it in each problem.
type tenantCheck struct {
	loader *loader
	where  string
}

func (c tenantCheck) wrong(wrong, fix string) {
	c.loader.problems.add(tenantsName, c.where+" "+wrong, fix)
}

const zoneFix = "use an IANA name such as America/Chicago"

func (c tenantCheck) tenant(raw rawTenant) Tenant {
	if _, err := zone.Load(raw.TimeZone); err != nil {
		c.wrong("has an unknown timezone", zoneFix)
	}
	for _, day := range slices.Sorted(maps.Keys(raw.Hours)) {
		switch {
		case !slices.Contains(days, day):
			c.wrong("has opening_hours for an unknown day", "use mon, tue, wed, thu, fri, sat, sun")
		case !validHours(raw.Hours[day]):
			c.wrong("has unreadable opening_hours on "+day, `write them like "08:00-17:30", opening before closing`)
		}
	}
	weight := 1
	if raw.Weight != nil {
		if weight = *raw.Weight; weight < 1 || weight > maxWeight {
			c.wrong("has an impossible weight", fmt.Sprintf("use a whole number from 1 to %d, or leave it out for 1", maxWeight))
		}
	}
	return Tenant{
		ID:       raw.ID,
		TimeZone: raw.TimeZone,
		Hours:    raw.Hours,
		Credentials: Credentials{
			CustomerKey: c.secret("customer_key", raw.Tebra.CustomerKey),
			User:        c.secret("user", raw.Tebra.User),
			Password:    c.secret("password", raw.Tebra.Password),
		},
		Practices: c.practices(raw.Practices),
		Weight:    weight,
	}
}

func (c tenantCheck) practices(raw []rawPractice) []Practice {
	if len(raw) == 0 {
		c.wrong("has no practice", "add one below practices:")
	}
	ids, names := map[string]bool{}, map[string]bool{}
	out := make([]Practice, 0, len(raw))
	for i, p := range raw {
		n, err := strconv.ParseInt(p.ID, 10, 64)
		switch {
		case err != nil || n <= 0 || strconv.FormatInt(n, 10) != p.ID:
			c.wrong(fmt.Sprintf("practice %d has no usable id", i+1), "use the vendor's number, above 0")
		case ids[p.ID]:
			c.wrong(fmt.Sprintf("practice %d has the id of an earlier one", i+1), "list each practice once")
		}
		switch {
		case strings.TrimSpace(p.Name) != p.Name || p.Name == "":
			c.wrong(fmt.Sprintf("practice %d has no usable name", i+1), "spell it exactly as the vendor does, without spaces around it")
		case names[p.Name]:
			c.wrong(fmt.Sprintf("practice %d has the name of an earlier one", i+1), "list each practice once")
		}
		if _, err := zone.Load(p.TimeZone); err != nil && p.TimeZone != "" {
			c.wrong(fmt.Sprintf("practice %d has an unknown timezone", i+1), zoneFix)
		}
		ids[p.ID], names[p.Name] = true, true
		out = append(out, Practice(p))
	}
	return out
}

// maxSecret is far above the size of any credential.
const maxSecret = 64 << 10

// secret resolves env:NAME and file:PATH. It removes one newline at the end of a file, because
// editors and secret stores add it. A literal is accepted in dev only.
func (c tenantCheck) secret(field, ref string) secret.Value {
	kind, rest, _ := strings.Cut(ref, ":")
	var value string
	switch kind {
	case "env":
		value = c.loader.getenv(rest)
	case "file":
		data, wrong, fix := readFile(rest, maxSecret, c.loader.mode == Production)
		if wrong != "" {
			c.wrong("has a tebra."+field+" that "+wrong, fix)
			return ""
		}
		value = strings.TrimSuffix(strings.TrimSuffix(data, "\n"), "\r")
	default:
		if ref != "" && c.loader.mode == Production {
			c.wrong("has tebra."+field+" in plain text", "write env:NAME or file:PATH instead, and change the secret: it has been in a file")
			return ""
		}
		value = ref
	}
	switch {
	case strings.TrimSpace(value) == "":
		c.wrong("has an empty tebra."+field, "set it to env:NAME or file:PATH, and set the secret there")
	case strings.ContainsAny(value, "\r\n\x00"):
		c.wrong("has a tebra."+field+" of more than one line", "keep the secret alone on one line")
	case c.loader.mode == Production && placeholder(value):
		c.wrong("has a placeholder for tebra."+field, "use the real value")
	}
	return secret.Value(value)
}

// placeholder reports whether a secret is a placeholder from a template or an example.
func placeholder(s string) bool {
	s = strings.ToLower(strings.TrimSpace(s))
	switch s {
	case "changeme", "change-me", "change_me", "example", "secret", "password", "customer-key", "customer_key", "user":
		return true
	}
	return strings.HasPrefix(s, "<") && strings.HasSuffix(s, ">") || strings.HasPrefix(s, "your-") || strings.HasPrefix(s, "your_")
}

// validHours reports whether s is HH:MM-HH:MM with the first before the second. A day may close at
// 24:00.
func validHours(s string) bool {
	from, to, ok := strings.Cut(s, "-")
	if !ok {
		return false
	}
	a, okA := minutes(from)
	b, okB := minutes(to)
	return okA && okB && a < b
}

func minutes(s string) (int, bool) {
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil && len(s) == len("15:04")
}
