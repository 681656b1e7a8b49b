package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
)

var errNoLedgerFile = errors.New("the SQLite file does not exist")

// openLedger opens the ledger without making one: opening SQLite creates its file, and a check must leave no trace. It
// returns nil, nil for an empty address.
func openLedger(ctx context.Context, address string) (*ledger.Ledger, error) {
	if address == "" {
		return nil, nil
	}
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		if _, err := os.Stat(path); err != nil {
			return nil, errNoLedgerFile
		}
	}
	ctx, cancel := context.WithTimeout(ctx, probeLimit)
	defer cancel()
	return ledger.Open(ctx, address)
}

// lookAtKeyset seals and opens, for a tenant that cannot exist.
func lookAtKeyset(_ context.Context, s *subject) []finding {
	f := finding{Check: "keyset", Verdict: verdictOK, Means: "it seals payloads and cached data; without it nothing can be read or enqueued"}
	if s.config.Keyset.Reveal() == "" {
		return []finding{skipped("keyset", "ROUNDS_KEYS is not usable")}
	}
	if s.keys == nil {
		f.Verdict, f.Evidence, f.Fix = verdictFail, "the file of ROUNDS_KEYS is not a keyset", `use the keyset of this deployment; "rounds keys new FILE" makes one for a new deployment`
		return []finding{f}
	}
	plain := []byte("doctor")
	sealed, err := s.keys.For("doctor/").Seal(plain, "doctor")
	if err == nil {
		var opened []byte
		opened, err = s.keys.For("doctor/").Open(sealed, "doctor")
		if err == nil && !bytes.Equal(opened, plain) {
			err = phi.ErrOpen
		}
	}
	f.Evidence = "key " + s.keys.ID() + " seals and opens"
	if err != nil {
		f.Verdict, f.Evidence, f.Fix = verdictFail, "key "+s.keys.ID()+" does not open what it sealed", "restore the keyset from its backup"
	}
	return []finding{f}
}

// lookAtLedger reports on the ledger, its schema, the tenants in it and whether the keyset is theirs.
func lookAtLedger(ctx context.Context, s *subject) []finding {
	below := []string{"schema", "tenants", "keyset"}
	f := finding{Check: "ledger", Verdict: verdictOK, Means: "it holds what cannot be rebuilt: tenants, their keys, what is due, what died"}
	switch {
	case s.ledger == nil && s.ledgerErr == nil:
		return skipAll("ledger", append([]string{""}, below...), "ROUNDS_LEDGER is not set")
	case errors.Is(s.ledgerErr, errNoLedgerFile):
		f.Verdict, f.Evidence = verdictFail, s.ledgerErr.Error()
		f.Fix = "start a worker or scheduler once, which makes it, or correct ROUNDS_LEDGER"
		return append([]finding{f}, skipAll("ledger", below, "there is no ledger")...)
	case s.ledgerErr != nil:
		f.Verdict, f.Evidence = verdictFail, s.ledgerErr.Error()
		f.Fix = "start the database, or correct ROUNDS_LEDGER and its password, and see that this host may reach it"
		return append([]finding{f}, skipAll("ledger", below, "the ledger does not answer")...)
	}
	begun := time.Now()
	if err := s.ledger.Ping(ctx); err != nil {
		f.Verdict, f.Evidence, f.Fix = verdictFail, err.Error(), "see the database's own log"
		return append([]finding{f}, skipAll("ledger", below, "the ledger does not answer")...)
	}
	f.Evidence = fmt.Sprintf("%s answered in %s", s.ledger.Dialect(), time.Since(begun).Round(10*time.Microsecond))
	schema := finding{
		Check: "ledger-schema", Verdict: verdictOK, Evidence: "tenants can be read",
		Means: "processes bring the schema up to date when they start",
	}
	tenants, err := s.ledger.Tenants(ctx)
	if err != nil {
		schema.Verdict, schema.Evidence = verdictFail, err.Error()
		schema.Fix = "start a worker or scheduler once, with a database user that may create tables"
		return append([]finding{f, schema}, skipAll("ledger", below[1:], "the schema is not there")...)
	}
	return []finding{f, schema, s.weighTenants(tenants), s.matchKeyset(ctx, tenants)}
}

func (s *subject) weighTenants(tenants []ledger.Tenant) finding {
	f := finding{Check: "ledger-tenants", Verdict: verdictOK, Means: "only what is known here is kept fresh"}
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
		f.Verdict, f.Evidence = verdictFail, strings.Join(wrong, "; ")
		f.Fix = "correct ROUNDS_TENANTS, or install the time zone data, and restart the scheduler"
	case len(tenants) == 0 && len(s.config.Tenants) > 0:
		f.Verdict, f.Evidence = verdictWarn, fmt.Sprintf("no tenant yet; ROUNDS_TENANTS has %d", len(s.config.Tenants))
		f.Fix = "start a worker or scheduler, which applies them"
	case len(tenants) == 0:
		f.Verdict, f.Evidence, f.Fix = verdictFail, "no tenant", "describe the tenants in ROUNDS_TENANTS"
	}
	return f
}

var errNoDataKey = errors.New("no data key yet")

// matchKeyset opens the wrapped data keys: a keyset of another deployment opens none, and then all that is cached is
// unreadable.
func (s *subject) matchKeyset(ctx context.Context, tenants []ledger.Tenant) finding {
	f := finding{Check: "ledger-keyset", Verdict: verdictOK, Means: "the ledger's keys open only with the keyset they were sealed with"}
	if s.keys == nil {
		return skipped(f.Check, "there is no keyset")
	}
	opened := 0
	for _, t := range tenants {
		wrapped, err := s.ledger.DataKey(ctx, t.ID, func() ([]byte, error) { return nil, errNoDataKey })
		if errors.Is(err, errNoDataKey) {
			continue
		}
		if err == nil {
			_, err = s.keys.For(t.ID.String()).Unwrap(wrapped)
		}
		if err != nil {
			f.Verdict, f.Evidence = verdictFail, fmt.Sprintf("the data key of %s: %s", t.ID, err)
			f.Fix = "use the keyset with which this ledger was begun, with its later keys added"
			return f
		}
		opened++
	}
	f.Evidence = fmt.Sprintf("opens the data keys of %d tenants; %d have none yet", opened, len(tenants)-opened)
	return f
}
