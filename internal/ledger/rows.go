package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

const maxRows = 500 // rows that a listing returns at most

// atomically runs f in one transaction. f must use tx alone: on SQLite the transaction holds the only connection.
func (l *Ledger) atomically(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// wrote tells whether a statement touched a row.
func wrote(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// collect reads all rows and closes them.
func collect[T any](operation string, found *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer func() { _ = found.Close() }() // what matters of it is in Err
	var all []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, fault(operation, err)
		}
		all = append(all, one)
	}
	if err := found.Err(); err != nil {
		return nil, fault(operation, err)
	}
	return all, nil
}

// pageSize turns a wished number of rows into one that may be returned; 0 means 100.
func pageSize(wish int) (int, error) {
	if wish < 0 {
		return 0, invalid("limit is negative")
	}
	if wish == 0 {
		wish = 100
	}
	return min(wish, maxRows), nil
}

// stored is t as the database holds it: microseconds since 1970 in UTC. The zero time comes back as the zero time.
func stored(t time.Time) int64 { return t.UnixMicro() }

func restored(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// notNull keeps an empty value apart from SQL's NULL, which no column takes.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// nilIfEmpty undoes notNull. The databases differ in what they give for an empty value.
func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// parameters spells the placeholders of a list: $first,…,$last.
func parameters(first, last int) string {
	var b strings.Builder
	for n := first; n <= last; n++ {
		if n > first {
			b.WriteByte(',')
		}
		b.WriteByte('$')
		b.WriteString(strconv.Itoa(n))
	}
	return b.String()
}

// object is m as a JSON object. Keys are sorted, so equal maps are equal text; nil and empty are equal too.
func object(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	text, err := json.Marshal(m)
	return string(text), err
}

// members reads what object wrote. An empty object is nil.
func members(text string) (map[string]string, error) {
	if text == "{}" {
		return nil, nil //nolint:nilnil // no members is an answer, not a failure
	}
	var m map[string]string
	err := json.Unmarshal([]byte(text), &m)
	return m, err
}
