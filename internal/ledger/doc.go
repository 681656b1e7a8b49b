// Package ledger stores what cannot be rebuilt from the vendor: the tenants, their wrapped data
// keys, when schedules began, which of their ticks are due and sent, how far each sync has read,
// the dead letters, the alerts of operators, and their decisions.
//
// It is SQL: PostgreSQL in production, SQLite on a single host, with the same statements and
// migrations for both. Invariants:
//
//   - Columns hold refs, codes, settings or sealed bytes. This package never seals or opens
//     anything; its callers do.
//   - Every write may be repeated, by the same process or another, and a repetition changes nothing
//     more. Resolve is the exception: it succeeds for exactly one caller.
//   - A tick exists once per tenant, schedule and instant. A watermark never moves back. A tenant's
//     data key is the one that was stored first.
//   - Rows of a tenant refer to the tenant's row: for a tenant that was never applied, writes
//     return ErrNotFound. Only dead letters are kept for any tenant that the task claimed.
//   - Times are stored in UTC, truncated to microseconds.
//   - Each call has its own deadline, shorter than the caller's, and limits on its input and
//     output. Input beyond a limit is ErrInvalid, and retrying it never helps.
//   - Error texts contain an operation and a code of the database, never the database's message,
//     which may contain values or the address.
package ledger
