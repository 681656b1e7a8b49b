package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"modernc.org/sqlite"
)

// The names that Dialect returns.
const (
	Postgres = "postgres"
	SQLite   = "sqlite"
)

const (
	// callTimeout bounds a call that touches a few rows, including the wait for a connection.
	// An unreachable PostgreSQL is reported within it.
	callTimeout = 5 * time.Second
	// openTimeout bounds the first connection to a SQLite file, in which SQLite may have to create
	// the file or recover its log. On a machine with a busy disk that takes many seconds.
	openTimeout = time.Minute
	// batchTimeout bounds a call that writes many rows in one transaction.
	batchTimeout = 30 * time.Second
	// busyTimeout is how long SQLite waits for another process to finish writing. It is shorter
	// than callTimeout, so that the cause is reported instead of a deadline.
	busyTimeout = 4 * time.Second
	busyPause   = 10 * time.Millisecond

	postgresConnections = 8
	idleConnections     = 2
	idleTime            = 5 * time.Minute
	connectionLifetime  = 30 * time.Minute
)

// Ledger is the store. It is safe for concurrent use. The zero value is not usable: see Open.
type Ledger struct {
	db      *sql.DB
	dialect string
}

// Open connects to the ledger at address: postgres://USER:PASSWORD@HOST/DATABASE with pgx's
// parameters, or sqlite:FILE, which creates the file, readable by its owner alone, in an existing
// directory. It pings the database once, and fails after five seconds without an answer of
// PostgreSQL, or a minute without one of the file system. It does not touch the schema: see
// Migrate.
//
// An address that is not understood is ErrURL. No error contains the address or its password.
func Open(ctx context.Context, address string) (*Ledger, error) {
	var l *Ledger
	var err error
	if path, ok := strings.CutPrefix(address, "sqlite:"); ok {
		l, err = openSQLite(path)
	} else {
		l, err = openPostgres(address)
	}
	if err != nil {
		return nil, err
	}
	if err := l.connect(ctx); err != nil {
		_ = l.Close() // the error of the ping is more useful
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	return l, nil
}

func openPostgres(address string) (*Ledger, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return nil, ErrURL // the parser's error would contain the address
	}
	if strings.Trim(u.Path, "/") == "" {
		return nil, fmt.Errorf("%w: no database in it", ErrURL)
	}
	if u.Host == "" && !u.Query().Has("host") {
		return nil, fmt.Errorf("%w: no host in it", ErrURL)
	}
	config, err := pgx.ParseConfig(address)
	if err != nil {
		return nil, fmt.Errorf("%w: a parameter is not understood, or a certificate file is not readable", ErrURL)
	}
	if config.ConnectTimeout == 0 {
		config.ConnectTimeout = callTimeout
	}
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "rounds"
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConnections)
	db.SetMaxIdleConns(idleConnections)
	db.SetConnMaxIdleTime(idleTime)
	db.SetConnMaxLifetime(connectionLifetime)
	return &Ledger{db: db, dialect: Postgres}, nil
}

// openSQLite uses one connection: SQLite admits one writer at a time, and the pool's queue is fair
// and wakes at once, while SQLite's own waiting polls. The busy timeout covers other processes.
func openSQLite(path string) (*Ledger, error) {
	switch {
	case path == "", strings.Contains(path, ":memory:"), strings.HasPrefix(path, "//"), strings.HasPrefix(path, "file:"):
		return nil, fmt.Errorf("%w: FILE must be a path in this file system", ErrURL)
	case strings.ContainsAny(path, "?\x00"):
		return nil, fmt.Errorf("%w: FILE takes no parameters", ErrURL)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, dbError("open ledger: file", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, dbError("open ledger: file", err)
	}
	if err := file.Close(); err != nil {
		return nil, dbError("open ledger: file", err)
	}
	connector, err := sqlite.NewConnector(path + "?" + url.Values{
		"_busy_timeout": {fmt.Sprint(busyTimeout.Milliseconds())},
		"_journal_mode": {"WAL"},
		"_synchronous":  {"FULL"}, // an acknowledged commit survives a power cut
		"_foreign_keys": {"on"},
		"_txlock":       {"immediate"}, // a transaction that reads first would fail instead of waiting when it writes
		"_dqs":          {"0"},
	}.Encode())
	if err != nil {
		return nil, dbError("open ledger", err)
	}
	db := sql.OpenDB(connector)
	db.SetMaxOpenConns(1)
	return &Ledger{db: db, dialect: SQLite}, nil
}

// Dialect returns Postgres or SQLite.
func (l *Ledger) Dialect() string { return l.dialect }

// Ping returns nil when the database answers within five seconds.
func (l *Ledger) Ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	return dbError("ping", l.db.PingContext(ctx))
}

// CheckWrites returns nil when the database stores a change within five seconds. It writes a
// tenant's row as it is, and changes nothing.
func (l *Ledger) CheckWrites(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := l.db.ExecContext(ctx, `UPDATE tenants SET id = id WHERE id = (SELECT min(id) FROM tenants)`)
	return dbError("check writes", err)
}

// connect is the first Ping. When several connections switch a new SQLite file to WAL at the same
// time, SQLite rejects all but one at once, despite the busy timeout; the others retry.
func (l *Ledger) connect(ctx context.Context) error {
	limit := callTimeout
	if l.dialect == SQLite {
		limit = openTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for {
		err := dbError("ping", l.db.PingContext(ctx))
		if !errors.Is(err, errBusy) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(busyPause):
		}
	}
}

// Close closes the connections. Calls in progress finish first; later ones fail.
func (l *Ledger) Close() error {
	return dbError("close ledger", l.db.Close())
}
