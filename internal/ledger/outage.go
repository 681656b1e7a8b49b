package ledger

import (
	"context"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	sqlitecode "modernc.org/sqlite/lib"

	"github.com/workflow-bolt/rounds/internal/outage"
)

// isOutage reports whether a database's error means that the database is unavailable, and not that
// the statement is at fault. slow reports that a time limit ended the call.
func isOutage(err error) (kind outage.Kind, slow, ok bool) {
	if isConnect(err) { // also if the server refuses it, such as one without the database
		return outage.Unavailable, errors.Is(err, context.DeadlineExceeded), !errors.Is(err, context.Canceled)
	}
	if refused, is := errors.AsType[*pgconn.PgError](err); is {
		kind, ok = postgresOutage(refused.Code)
		return kind, isTimeout(refused.Code), ok
	}
	if code := sqliteCode(err); code != 0 {
		kind, ok = sqliteOutages[code&0xff]
		return kind, false, ok
	}
	var failed net.Error
	var errno syscall.Errno
	switch {
	case errors.Is(err, context.Canceled):
		return 0, false, false
	case errors.Is(err, context.DeadlineExceeded):
		return outage.Unavailable, true, true
	case errors.As(err, &failed), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.As(err, &errno), errors.Is(err, driver.ErrBadConn), pgconn.Timeout(err):
		return outage.Unavailable, false, true
	}
	return 0, false, false
}

func isConnect(err error) bool {
	_, ok := errors.AsType[*pgconn.ConnectError](err)
	return ok
}

// isTimeout reports whether an SQLSTATE means that a time limit of the connection ended the
// statement: lock_not_available or query_canceled.
func isTimeout(state string) bool { return state == "55P03" || state == "57014" }

// postgresOutage interprets an SQLSTATE. Its first two characters are the class of the error.
func postgresOutage(state string) (outage.Kind, bool) {
	switch {
	case isTimeout(state):
		return outage.Unavailable, true
	case len(state) != 5:
		return 0, false
	}
	switch state {
	case "25006": // read_only_sql_transaction
		return outage.ReadOnly, true
	case "53100", "53200": // disk_full, out_of_memory
		return outage.Full, true
	case "57P01", "57P02", "57P03", "57P05": // the server ends, has crashed or starts; the session was idle for too long
		return outage.Unavailable, true
	}
	switch state[:2] {
	case "08", "28", "53", "58": // connections, logins, resources, errors of the server's system
		return outage.Unavailable, true
	}
	return 0, false
}

// sqliteOutages are SQLite's primary result codes that blame the file or its disk.
var sqliteOutages = map[int]outage.Kind{
	sqlitecode.SQLITE_FULL:     outage.Full,
	sqlitecode.SQLITE_READONLY: outage.ReadOnly,
	sqlitecode.SQLITE_BUSY:     outage.Unavailable, // another process does not finish writing
	sqlitecode.SQLITE_LOCKED:   outage.Unavailable,
	sqlitecode.SQLITE_IOERR:    outage.Unavailable,
	sqlitecode.SQLITE_CANTOPEN: outage.Unavailable,
	sqlitecode.SQLITE_PROTOCOL: outage.Unavailable,
}
