package plan

import (
	"bytes"
	"database/sql"
	"log/slog"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver of the ledger's database

	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/pgtest"
)

// The host's clock is the real one. The database's stands at eight in the morning of 2 March, and
// so does the calendar of a planner in real time.
func TestRealTimeIsTheLedgersClock(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := pgtest.URL(t)
	db, err := sql.Open("pgx", url)
	must(t, err)
	defer func() { must(t, db.Close()) }()
	show := func(now time.Time) {
		t.Helper()
		_, err := db.ExecContext(t.Context(), `CREATE SCHEMA IF NOT EXISTS shown; CREATE OR REPLACE FUNCTION shown.clock_timestamp() RETURNS timestamptz
			LANGUAGE sql AS $$ SELECT timestamptz '`+now.Format(time.RFC3339)+`' $$`)
		must(t, err)
	}
	morning := at(t, chicago, "2026-03-02 08:00:00")
	show(morning)
	b.ledger = ledgertest.Open(t, url+"&search_path=public,shown,pg_catalog")
	b.apply(t, clinic("clinic-a", "7"))
	var log bytes.Buffer
	p, err := New(Options{Ledger: b.ledger, Tasks: b.tasks, Schedules: named("today", "everyone"), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	must(t, err)
	b.cycle(t, p, demand("2026-03-02"))
	b.cycle(t, p)
	show(morning.Add(72 * time.Hour))
	b.cycle(t, p, demand("2026-03-05"))
	show(morning.Add(time.Minute))
	b.cycle(t, p)
	show(morning.Add(2 * time.Minute))
	b.cycle(t, p, demand("2026-03-02"))
	show(morning.Add(72 * time.Hour))
	b.cycle(t, p, demand("2026-03-05"))
	b.cycle(t, p)
	show(morning.Add(6*24*time.Hour + 14*time.Hour))
	b.cycle(t, p, "clinic-a schedule 7 2026-03-06..2026-03-06", "clinic-a sweep 7")
	b.unsent(t)
	if n := strings.Count(log.String(), "clock differs"); n != 1 {
		t.Errorf("the difference was logged %d times:\n%s", n, log.String())
	}
}
