package diagnose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/zone"
)

// checkKeyset seals and opens a value, for a tenant that cannot exist.
func checkKeyset(_ context.Context, d *deployment) []Finding {
	f := Finding{Check: "keyset", Grade: OK, Means: "it seals payloads and cached data; without it, nothing can be read or enqueued"}
	if d.config.Keyset.Reveal() == "" {
		return []Finding{skipped("keyset", "ROUNDS_KEYS is not usable")}
	}
	if d.keys == nil {
		f.Grade, f.Evidence, f.Fix = Fail, "the file of ROUNDS_KEYS is not a keyset", `use the keyset of this deployment; "rounds keys new FILE" makes one for a new deployment`
		return []Finding{f}
	}
	plain := []byte("doctor")
	sealed, err := d.keys.For("doctor/").Seal(plain, "doctor")
	if err == nil {
		var opened []byte
		opened, err = d.keys.For("doctor/").Open(sealed, "doctor")
		if err == nil && !bytes.Equal(opened, plain) {
			err = phi.ErrOpen
		}
	}
	f.Evidence = "key " + d.keys.ID() + " seals and opens"
	if err != nil {
		f.Grade, f.Evidence, f.Fix = Fail, "key "+d.keys.ID()+" cannot open what it sealed", "restore the keyset from its backup"
	}
	return []Finding{f}
}

// checkLedger checks the ledger, its schema, its tenants and whether the keyset opens their data
// keys.
func checkLedger(ctx context.Context, d *deployment) []Finding {
	below := []string{"schema", "tenants", "keyset"}
	f := Finding{Check: "ledger", Grade: OK, Means: "it stores what cannot be rebuilt: tenants, their keys, ticks, dead letters"}
	switch {
	case d.ledger == nil && d.ledgerErr == nil:
		return skipAll("ledger", append([]string{""}, below...), "ROUNDS_LEDGER is not set")
	case errors.Is(d.ledgerErr, ledger.ErrNoFile):
		f.Grade, f.Evidence = Fail, d.ledgerErr.Error()
		f.Fix = "start a worker or scheduler once, which creates it, or correct ROUNDS_LEDGER"
		return append([]Finding{f}, skipAll("ledger", below, "the ledger does not exist")...)
	case d.ledgerErr != nil:
		f.Grade, f.Evidence = Fail, d.ledgerErr.Error()
		f.Fix = "start the database, or correct ROUNDS_LEDGER and its password, and check that this host can reach it"
		return append([]Finding{f}, skipAll("ledger", below, "the ledger does not answer")...)
	}
	begun := time.Now()
	if err := d.ledger.Ping(ctx); err != nil {
		f.Grade, f.Evidence, f.Fix = Fail, err.Error(), "see the database's log"
		return append([]Finding{f}, skipAll("ledger", below, "the ledger does not answer")...)
	}
	f.Evidence = fmt.Sprintf("%s answered in %s", d.ledger.Dialect(), time.Since(begun).Round(10*time.Microsecond))
	schema := Finding{
		Check: "ledger-schema", Grade: OK, Evidence: "tenants can be read",
		Means: "processes migrate the schema when they start",
	}
	tenants, err := d.ledger.Tenants(ctx)
	if err != nil {
		schema.Grade, schema.Evidence = Fail, err.Error()
		schema.Fix = "start a worker or scheduler once, as a database user that can create tables"
		return append([]Finding{f, schema}, skipAll("ledger", below[1:], "the schema does not exist")...)
	}
	return []Finding{f, schema, d.gradeTenants(tenants), d.matchKeyset(ctx, tenants)}
}

func (d *deployment) gradeTenants(tenants []ledger.Tenant) Finding {
	f := Finding{Check: "ledger-tenants", Grade: OK, Means: "only the tenants in the ledger are kept fresh"}
	var wrong []string
	practices := 0
	for _, t := range tenants {
		practices += len(t.Practices)
		for _, p := range t.Practices {
			if _, err := zone.Load(t.ZoneOf(p)); err != nil {
				wrong = append(wrong, fmt.Sprintf("practice %s of %s has a time zone that is unknown on this host", p.ID, t.ID))
			}
		}
		if len(t.Practices) == 0 {
			wrong = append(wrong, t.ID.String()+" has no practice")
		}
	}
	f.Evidence = fmt.Sprintf("tenants: %d, practices: %d, all in known time zones", len(tenants), practices)
	switch {
	case len(wrong) > 0:
		f.Grade, f.Evidence = Fail, strings.Join(wrong, "; ")
		f.Fix = "correct ROUNDS_TENANTS or install time zone data, then restart the scheduler"
	case len(tenants) == 0 && len(d.config.Tenants) > 0:
		f.Grade, f.Evidence = Warn, fmt.Sprintf("no tenant yet; tenants in ROUNDS_TENANTS: %d", len(d.config.Tenants))
		f.Fix = "start a worker or scheduler, which stores them"
	case len(tenants) == 0:
		f.Grade, f.Evidence, f.Fix = Fail, "no tenant", "list the tenants in ROUNDS_TENANTS"
	}
	return f
}

// matchKeyset opens the wrapped data keys. The keyset of another deployment opens none of them, and
// then no cached value can be read.
func (d *deployment) matchKeyset(ctx context.Context, tenants []ledger.Tenant) Finding {
	f := Finding{Check: "ledger-keyset", Grade: OK, Means: "the ledger's data keys open only with the keyset that sealed them"}
	if d.keys == nil {
		return skipped(f.Check, "the keyset is not usable")
	}
	opened := 0
	for _, t := range tenants {
		wrapped, err := d.ledger.StoredDataKey(ctx, t.ID)
		if errors.Is(err, ledger.ErrNotFound) {
			continue
		}
		if err == nil {
			_, err = d.keys.For(t.ID.String()).Unwrap(wrapped)
		}
		if err != nil {
			f.Grade, f.Evidence = Fail, fmt.Sprintf("the data key of %s: %s", t.ID, err)
			f.Fix = "use the keyset that this ledger was created with, including keys added later"
			return f
		}
		opened++
	}
	f.Evidence = fmt.Sprintf("data keys opened: %d; tenants without one: %d", opened, len(tenants)-opened)
	return f
}
