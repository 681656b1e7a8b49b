package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/internal/zone"
)

// boardFlags select a board.
type boardFlags struct {
	tenant, practice, date string
	reveal                 bool
}

func newBoard(e *env) *cobra.Command {
	var f boardFlags
	show := &cobra.Command{
		Use:   "show",
		Short: "Show the board of a practice's day, with its age",
		Long: `Show the board of a practice's day from the cache, and how old it is. The vendor is not called.

Patients are masked unless --reveal is given. Records appear as refs, as in logs and events.`,
		Example: `  rounds board show --tenant clinic-a
  rounds board show --tenant clinic-a --practice 2 --date 2026-03-02 --json`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := parseTenant(f.tenant); err != nil {
				return err
			}
			if _, err := civil.ParseDate(f.date); err != nil && f.date != "" {
				return usage("--date must be a day like 2026-03-02")
			}
			return e.withTools(cmd.Context(), func(t *app.Tools) error { return e.showBoard(cmd.Context(), t, f) })
		},
	}
	e.tenantFlag(show, &f.tenant, "tenant of the practice (required)")
	show.Flags().StringVar(&f.practice, "practice", "", "the vendor's number of the practice; optional if the tenant has only one")
	show.Flags().StringVar(&f.date, "date", "", "the day, like 2026-03-02; by default today at the practice")
	show.Flags().BoolVar(&f.reveal, "reveal", false, "show the patients' names")
	return e.group("board", "Show boards", show)
}

// boardDoc is the result of board show.
type boardDoc struct {
	Tenant     string              `json:"tenant"`
	Practice   string              `json:"practice"`
	Date       civil.Date          `json:"date"`
	Zone       string              `json:"zone"`
	AsOf       time.Time           `json:"as_of"`                  // when the vendor last confirmed the day
	AgeSeconds float64             `json:"age_seconds"`            // of the whole board
	Stale      bool                `json:"stale"`                  // a change on it is known but not loaded yet
	Reason     codes.Code          `json:"stale_reason,omitempty"` // why nothing confirms it any more
	Hit        bool                `json:"hit"`                    // it was in the cache as a whole
	Missing    int                 `json:"missing"`                // visits that could not be shown
	Unknown    int                 `json:"unknown"`                // rows without a patient's record
	Masked     bool                `json:"masked"`
	Incomplete []practice.Omission `json:"incomplete"` // why the day may have more visits than these
	Visits     int                 `json:"visits"`     // how many of the rows are patients' visits
	Rows       []boardRow          `json:"rows"`

	zone *time.Location
	now  time.Time
}

// boardRow is one entry. Fields that identify the patient contain phi.Mask unless --reveal is
// given.
type boardRow struct {
	Ref       phi.Ref         `json:"ref"`  // of the appointment
	Type      string          `json:"type"` // patient, other or unknown
	Start     time.Time       `json:"start"`
	End       time.Time       `json:"end"`
	Minutes   int             `json:"duration_minutes"`
	AllDay    bool            `json:"all_day"`
	Recurring bool            `json:"recurring"`
	Status    practice.Status `json:"status"`
	Patient   phi.Ref         `json:"patient,omitempty"` // empty for blocked time
	Known     bool            `json:"known"`             // the patient's record is in the cache
	Name      string          `json:"name"`
	Born      string          `json:"born"`
	Phone     string          `json:"phone"`
	Reason    string          `json:"reason"`
	Provider  string          `json:"provider,omitempty"`
	Location  string          `json:"location,omitempty"`
}

func (e *env) showBoard(ctx context.Context, t *app.Tools, f boardFlags) error {
	doc, err := readBoard(ctx, t, f)
	if err != nil {
		return err
	}
	if f.reveal {
		e.printf("this output identifies patients: protect it")
	} else {
		e.printf("patients are masked; use --reveal to show them")
	}
	return e.answer(doc, doc.write)
}

func readBoard(ctx context.Context, t *app.Tools, f boardFlags) (boardDoc, error) {
	owner, err := findTenant(ctx, t.Ledger, f.tenant)
	if err != nil {
		return boardDoc{}, err
	}
	selected, err := selectPractice(owner, f.practice)
	if err != nil {
		return boardDoc{}, err
	}
	number := selected.ID
	name := owner.ZoneOf(selected)
	there, err := zone.Load(name)
	if err != nil {
		return boardDoc{}, fmt.Errorf("practice %s of %s: %w", number, owner.ID, err)
	}
	now := time.Now()
	day := civil.DateOf(now.In(there))
	if f.date != "" {
		day, _ = civil.ParseDate(f.date) // already checked
	}
	read, err := t.Store.Board(ctx, owner.ID, number, day)
	if errors.Is(err, practice.ErrCold) {
		return boardDoc{}, cold(f.tenant, number, day)
	}
	if err != nil {
		return boardDoc{}, err
	}
	return boardDoc{
		Tenant: f.tenant, Practice: number, Date: day, Zone: name, AsOf: read.AsOf,
		AgeSeconds: now.Sub(read.AsOf).Seconds(), Stale: read.Stale, Reason: read.Reason, Hit: read.Hit, Missing: read.Missing,
		Unknown: read.Unknown, Masked: !f.reveal, zone: there, now: now,
		Incomplete: append([]practice.Omission{}, read.Board.Incomplete...),
		Visits:     practice.Visits(read.Board.Rows),
		Rows:       boardRows(read.Board.Rows, t.Store.Names(owner.ID), there, f.reveal),
	}, nil
}

func boardRows(in []practice.BoardRow, refs practice.Names, zone *time.Location, reveal bool) []boardRow {
	show := phi.Text.String
	if reveal {
		show = phi.Text.Reveal
	}
	rows := make([]boardRow, 0, len(in))
	for _, r := range in {
		row := boardRow{
			Ref: refs.Appointment(r.Key()), Type: r.Type.String(), Minutes: int(r.End.Sub(r.Start) / time.Minute), AllDay: r.AllDay,
			Recurring: r.Recurring, Start: r.Start.In(zone), End: r.End.In(zone), Status: r.Status, Known: r.Known,
			Name: show(r.Name), Born: show(r.Born), Phone: show(r.Phone), Reason: show(r.Reason),
			Provider: r.Provider, Location: r.Location,
		}
		if r.Patient != "" {
			row.Patient = refs.Patient(r.Patient)
		}
		rows = append(rows, row)
	}
	return rows
}

// selectPractice returns the requested practice, or the tenant's only one.
func selectPractice(t ledger.Tenant, asked string) (ledger.Practice, error) {
	if asked == "" && len(t.Practices) == 1 {
		return t.Practices[0], nil
	}
	all := make([]string, 0, len(t.Practices))
	for _, p := range t.Practices {
		if p.ID == asked {
			return p, nil
		}
		all = append(all, "--practice "+p.ID)
	}
	f := &failure{Exit: exitNotFound, Code: "PRACTICE_NOT_FOUND", What: fmt.Sprintf("%s has no practice %q", t.ID, asked), Try: all}
	if asked == "" {
		f.Exit, f.Code, f.What = exitUsage, "USAGE", "--practice is missing: the tenant has several practices"
	}
	return ledger.Practice{}, f
}

func cold(tenant, number string, day civil.Date) *failure {
	return &failure{
		Exit: exitNotFound, Code: "COLD", What: "the cache has no data of this day", cause: practice.ErrCold,
		Means: "it was never loaded from the vendor, or has expired",
		Try: []string{
			fmt.Sprintf("rounds enqueue schedule.sync --tenant %s --arg practice=%s --arg from=%s --arg to=%s", tenant, number, day, day),
			"rounds doctor",
		},
	}
}

func (d boardDoc) write(w io.Writer) {
	state := "current"
	if d.Stale {
		state = "stale: it has changed since and was not loaded again yet"
	}
	if d.Reason != "" {
		state = fmt.Sprintf("stale: %s (%s)", d.Reason.Meaning(), d.Reason)
	}
	visits := counted(d.Visits, "visit", "visits")
	if others := len(d.Rows) - d.Visits; others > 0 {
		visits += " and " + counted(others, "other entry", "other entries")
	}
	_, _ = fmt.Fprintf(w, "%s, practice %s, %s: %s, confirmed %s (%s), %s\n", d.Tenant, d.Practice, d.Date,
		visits, diagnose.Ago(d.AsOf, d.now), d.AsOf.In(d.zone).Format("15:04:05 MST"), state)
	if d.Missing > 0 {
		_, _ = fmt.Fprintf(w, "visits left out because they are not in the cache: %d\n", d.Missing)
	}
	if d.Unknown > 0 {
		_, _ = fmt.Fprintf(w, "rows without a patient's record in the cache: %d\n", d.Unknown)
	}
	for _, o := range d.Incomplete {
		detail := string(o.Code)
		if o.Rows > 0 { // otherwise their number is unknown
			detail += ", " + counted(o.Rows, "row", "rows")
		}
		_, _ = fmt.Fprintf(w, "the day may have more visits than these: %s (%s)\n", o.Code.Meaning(), detail)
	}
	table(w, []string{"TIME", "STATUS", "PATIENT", "BORN", "PROVIDER", "REASON", "TYPE", "REF"}, d.Rows, func(r boardRow) []string {
		return []string{r.when(d.Date), string(r.Status), r.Name, r.Born, r.Provider, r.Reason, r.Type, string(r.Ref)}
	})
}

// when is the row's time on a board. An entry that began earlier has its first day too.
func (r boardRow) when(board civil.Date) string {
	switch {
	case r.AllDay:
		return "all day"
	case civil.DateOf(r.Start).Compare(board) < 0:
		return r.Start.Format("01-02 15:04")
	}
	return r.Start.Format("15:04")
}
