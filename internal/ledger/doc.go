// Package ledger keeps what cannot be rebuilt from the vendor: who the tenants are, their wrapped data keys, which ticks
// of a schedule are due and sent, how far each sync has read, and the tasks that died.
//
// It is SQL, PostgreSQL in production and SQLite on one host, with one text of every statement and migration. Invariants:
//
//   - Columns hold refs, codes, settings or sealed bytes. Nothing here seals or opens anything: who calls does.
//   - Every write may be repeated, by the same process or by another, and then changes nothing more. Settle is the one
//     that says so: it hands a letter to exactly one caller.
//   - A tick exists once per tenant, schedule and instant. A watermark never moves back. A tenant's data key is the one
//     that was stored first.
//   - What belongs to a tenant refers to its row: for a tenant that was never applied, writes return ErrNotFound. Dead
//     letters alone are kept for whoever the task claimed to be.
//   - Times are kept in UTC, cut to microseconds.
//   - Each call has a deadline of its own, below the caller's, and bounds on what it takes and returns. Input out of
//     bounds is ErrInvalid, and the same input will never do.
//   - An error's text holds an operation and a code of the database, never the database's words, which may repeat values
//     or the address.
package ledger
