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
)

// checkKeyset seals and opens, for a tenant that cannot exist.
func checkKeyset(_ context.Context, d *deployment) []Finding {
	f := Finding{Check: "keyset", Grade: OK, Means: "it seals payloads and cached data; without it nothing can be read or enqueued"}
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
		f.Grade, f.Evidence, f.Fix = Fail, "key "+d.keys.ID()+" does not open what it sealed", "restore the keyset from its backup"
	}
	return []Finding{f}
}

// checkLedger reports on the ledger, its schema, the tenants in it and whether the keyset is theirs.
func checkLedger(ctx context.Context, d *deployment) []Finding {
	below := []string{"schema", "tenants", "keyset"}
	f := Finding{Check: "ledger", Grade: OK, Means: "it holds what cannot be rebuilt: tenants, their keys, what is due, what died"}
	switch {
	case d.ledger == nil && d.ledgerErr == nil:
		return skipAll("ledger", append([]string{""}, below...), "ROUNDS_LEDGER is not set")
	case errors.Is(d.ledgerErr, ledger.ErrNoFile):
		f.Grade, f.Evidence = Fail, d.ledgerErr.Error()
		f.Fix = "start a worker or scheduler once, which makes it, or correct ROUNDS_LEDGER"
		return append([]Finding{f}, skipAll("ledger", below, "there is no ledger")...)
	case d.ledgerErr != nil:
		f.Grade, f.Evidence = Fail, d.ledgerErr.Error()
		f.Fix = "start the database, or correct ROUNDS_LEDGER and its password, and see that this host may reach it"
		return append([]Finding{f}, skipAll("ledger", below, "the ledger does not answer")...)
	}
	begun := time.Now()
	if err := d.ledger.Ping(ctx); err != nil {
		f.Grade, f.Evidence, f.Fix = Fail, err.Error(), "see the database's own log"
		return append([]Finding{f}, skipAll("ledger", below, "the ledger does not answer")...)
	}
	f.Evidence = fmt.Sprintf("%s answered in %s", d.ledger.Dialect(), time.Since(begun).Round(10*time.Microsecond))
	schema := Finding{
		Check: "ledger-schema", Grade: OK, Evidence: "tenants can be read",
		Means: "processes bring the schema up to date when they start",
	}
	tenants, err := d.ledger.Tenants(ctx)
	if err != nil {
		schema.Grade, schema.Evidence = Fail, err.Error()
		schema.Fix = "start a worker or scheduler once, with a database user that may create tables"
		return append([]Finding{f, schema}, skipAll("ledger", below[1:], "the schema is not there")...)
	}
	return []Finding{f, schema, d.gradeTenants(tenants), d.matchKeyset(ctx, tenants)}
}

func (d *deployment) gradeTenants(tenants []ledger.Tenant) Finding {
	f := Finding{Check: "ledger-tenants", Grade: OK, Means: "only what is known here is kept fresh"}
	var wrong []string
	practices := 0
	for _, t := range tenants {
		practices += len(t.Practices)
		if _, err := time.LoadLocation(t.TimeZone); err != nil || t.TimeZone == "" {
			wrong = append(wrong, t.ID.String()+" has a time zone that this host does not know")
		}
		if len(t.Practices) == 0 {
			wrong = append(wrong, t.ID.String()+" has no practice")
		}
	}
	f.Evidence = fmt.Sprintf("%d tenants with %d practices, all time zones load", len(tenants), practices)
	switch {
	case len(wrong) > 0:
		f.Grade, f.Evidence = Fail, strings.Join(wrong, "; ")
		f.Fix = "correct ROUNDS_TENANTS, or install the time zone data, and restart the scheduler"
	case len(tenants) == 0 && len(d.config.Tenants) > 0:
		f.Grade, f.Evidence = Warn, fmt.Sprintf("no tenant yet; ROUNDS_TENANTS has %d", len(d.config.Tenants))
		f.Fix = "start a worker or scheduler, which applies them"
	case len(tenants) == 0:
		f.Grade, f.Evidence, f.Fix = Fail, "no tenant", "describe the tenants in ROUNDS_TENANTS"
	}
	return f
}

// matchKeyset opens the wrapped data keys: a keyset of another deployment opens none, and then all that is cached is
// unreadable.
func (d *deployment) matchKeyset(ctx context.Context, tenants []ledger.Tenant) Finding {
	f := Finding{Check: "ledger-keyset", Grade: OK, Means: "the ledger's keys open only with the keyset they were sealed with"}
	if d.keys == nil {
		return skipped(f.Check, "there is no keyset")
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
			f.Fix = "use the keyset with which this ledger was begun, with its later keys added"
			return f
		}
		opened++
	}
	f.Evidence = fmt.Sprintf("opens the data keys of %d tenants; %d have none yet", opened, len(tenants)-opened)
	return f
}
