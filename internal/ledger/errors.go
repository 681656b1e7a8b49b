package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlitecode "modernc.org/sqlite/lib"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
)

var (
	// ErrNotFound means that the requested row, or the tenant of a new row, is not in the ledger.
	ErrNotFound = errors.New("not in the ledger")
	// ErrConflict means that the row is no longer in the state from which the change is allowed.
	ErrConflict = errors.New("already decided")
	// ErrInvalid means that an argument is out of bounds. The text names it; retrying cannot help.
	ErrInvalid error = codes.Invalid
	// ErrURL means that Open does not understand the ledger's address. The text never contains the
	// address.
	ErrURL = errors.New("ledger url must be postgres://USER:PASSWORD@HOST/DATABASE or sqlite:FILE")
)

// errBusy means that another process is writing to the SQLite file.
var errBusy = errors.New("sqlite code 5")

// invalid returns an ErrInvalid with a reason. The text must not contain the value.
func invalid(format string, a ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, a...)...)
}

// dbError returns an error with the operation and the database's error code. It drops the
// database's own error on purpose: its text may contain values of a row, or the address. A context
// error stays reachable, and an error that means that the ledger is unavailable is an outage.
func dbError(operation string, err error) error {
	if kind, slow, ok := isOutage(err); ok {
		return outage.New(outage.Ledger, kind, slow, shown(operation, err))
	}
	return shown(operation, err)
}

func shown(operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s: %w", operation, context.DeadlineExceeded)
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", operation, context.Canceled)
	case isForeignKey(err):
		return fmt.Errorf("%s: tenant: %w", operation, ErrNotFound)
	case sqliteCode(err)&0xff == sqlitecode.SQLITE_BUSY:
		return fmt.Errorf("%s: %w", operation, errBusy)
	}
	return fmt.Errorf("%s: %s", operation, cause(err))
}

func cause(err error) string {
	if code := sqliteCode(err); code != 0 {
		return "sqlite code " + strconv.Itoa(code)
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return "sqlstate " + refused.Code
	}
	if _, ok := errors.AsType[*net.DNSError](err); ok {
		return "the database's host name does not resolve"
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return "no connection to the database"
	}
	if errors.Is(err, sql.ErrConnDone) || errors.Is(err, sql.ErrTxDone) {
		return "the connection is closed"
	}
	return "the database failed"
}

func isForeignKey(err error) bool {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return refused.Code == "23503"
	}
	return sqliteCode(err) == sqlitecode.SQLITE_CONSTRAINT_FOREIGNKEY
}

// sqliteCode returns SQLite's extended result code, or 0 for any other error.
func sqliteCode(err error) int {
	if failed, ok := errors.AsType[*sqlite.Error](err); ok {
		return failed.Code()
	}
	return 0
}
