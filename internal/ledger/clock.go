package ledger

import (
	"context"
	"time"
)

// Now returns the time by the ledger's own clock, which all processes share: PostgreSQL's. The
// clock of SQLite is the host's.
func (l *Ledger) Now(ctx context.Context) (time.Time, error) {
	if l.dialect == SQLite {
		return time.Now(), nil
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	var micros int64
	err := l.db.QueryRowContext(ctx, `SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint`).Scan(&micros)
	return fromMicros(micros), dbError("read clock", err)
}
