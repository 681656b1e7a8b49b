package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"
)

const maxRows = 500 // largest number of rows that a listing returns

// inTransaction runs f in one transaction. f must use only tx: on SQLite the transaction holds the
// only connection.
func (l *Ledger) inTransaction(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := l.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	err = tx.Commit()
	if errors.Is(err, sql.ErrTxDone) && ctx.Err() != nil {
		return ctx.Err() // it was rolled back when its time was over
	}
	return err
}

// changedRow reports whether a statement changed a row.
func changedRow(result sql.Result, err error) (bool, error) {
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// changedRows returns how many rows a statement changed.
func changedRows(operation string, result sql.Result, err error) (int, error) {
	if err != nil {
		return 0, dbError(operation, err)
	}
	n, err := result.RowsAffected()
	return int(n), dbError(operation, err)
}

// collect reads all rows and closes them.
func collect[T any](operation string, found *sql.Rows, scan func(*sql.Rows) (T, error)) ([]T, error) {
	defer func() { _ = found.Close() }() // errors are reported by Err
	var all []T
	for found.Next() {
		one, err := scan(found)
		if err != nil {
			return nil, dbError(operation, err)
		}
		all = append(all, one)
	}
	if err := found.Err(); err != nil {
		return nil, dbError(operation, err)
	}
	return all, nil
}

// pageSize returns the number of rows to list for a requested limit; 0 means 100.
func pageSize(requested int) (int, error) {
	if requested < 0 {
		return 0, invalid("limit is negative")
	}
	if requested == 0 {
		requested = 100
	}
	return min(requested, maxRows), nil
}

// toMicros returns t as the database stores it: microseconds since 1970 in UTC. The zero time is
// restored as the zero time.
func toMicros(t time.Time) int64 { return t.UnixMicro() }

func fromMicros(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// notNull replaces nil by an empty value, since no column accepts NULL.
func notNull(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}

// nilIfEmpty reverses notNull. The databases return different values for an empty column.
func nilIfEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// parameters returns the placeholders of a list: $first,…,$last.
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

// encodeObject returns m as a JSON object. Keys are sorted, so equal maps have equal text; nil and
// empty are equal too.
func encodeObject(m map[string]string) (string, error) {
	if len(m) == 0 {
		return "{}", nil
	}
	text, err := json.Marshal(m)
	return string(text), err
}

// decodeObject reads the output of encodeObject. An empty object is nil.
func decodeObject(text string) (map[string]string, error) {
	if text == "{}" {
		return nil, nil //nolint:nilnil // an empty object is a valid result
	}
	var m map[string]string
	err := json.Unmarshal([]byte(text), &m)
	return m, err
}
