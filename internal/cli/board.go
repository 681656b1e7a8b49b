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
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
)

// boardFlags say whose board.
type boardFlags struct {
	tenant, practice, date string
	reveal                 bool
}

func newBoard(e *env) *cobra.Command {
	var f boardFlags
	show := &cobra.Command{
		Use:   "show",
		Short: "Print the board of one practice's day, with its age",
		Long: `Print the board of one practice's day as it lies in the cache, and how old it is. Nothing is fetched.

Patients are masked unless --reveal is given; refs stand for records, as in logs and events.`,
		Example: `  rounds board show --tenant clinic-a
  rounds board show --tenant clinic-a --practice 2 --date 2026-03-02 --json`,
		Args: names(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := parseTenant(f.tenant); err != nil {
				return err
			}
			if _, err := civil.ParseDate(f.date); err != nil && f.date != "" {
				return usage("--date is not a day like 2026-03-02")
			}
			return e.withTools(cmd.Context(), func(t *app.Tools) error { return e.showBoard(cmd.Context(), t, f) })
		},
	}
	e.tenantFlag(show, &f.tenant, "whose board (required)")
	show.Flags().StringVar(&f.practice, "practice", "", "the vendor's number for the practice; may be left out when the tenant has one")
	show.Flags().StringVar(&f.date, "date", "", "the day, like 2026-03-02; today at the practice when left out")
	show.Flags().BoolVar(&f.reveal, "reveal", false, "show who the patients are")
	return e.group("board", "Look at boards", show)
}

// boardDoc is a board as it is printed.
type boardDoc struct {
	Tenant     string     `json:"tenant"`
	Practice   string     `json:"practice"`
	Date       civil.Date `json:"date"`
	Zone       string     `json:"zone"`
	AsOf       time.Time  `json:"as_of"`       // when the vendor last confirmed the day
	AgeSeconds float64    `json:"age_seconds"` // of the whole board
	Stale      bool       `json:"stale"`       // something on it is known to have changed since
	Hit        bool       `json:"hit"`         // it lay ready
	Missing    int        `json:"missing"`     // visits that are not on it
	Unknown    int        `json:"unknown"`     // rows without their patient's record
	Masked     bool       `json:"masked"`
	Rows       []boardRow `json:"rows"`

	zone *time.Location
	now  time.Time
}

// boardRow is one visit. What tells who the patient is holds phi.Mask unless the board is revealed.
type boardRow struct {
	Ref      phi.Ref         `json:"ref"` // of the appointment
	Start    time.Time       `json:"start"`
	End      time.Time       `json:"end"`
	Status   practice.Status `json:"status"`
	Patient  phi.Ref         `json:"patient,omitempty"` // ref; empty for time blocked without one
	Known    bool            `json:"known"`             // the patient's record is at hand
	Name     string          `json:"name"`
	Born     string          `json:"born"`
	Phone    string          `json:"phone"`
	Reason   string          `json:"reason"`
	Provider string          `json:"provider,omitempty"`
	Location string          `json:"location,omitempty"`
}

func (e *env) showBoard(ctx context.Context, t *app.Tools, f boardFlags) error {
	doc, err := readBoard(ctx, t, f)
	if err != nil {
		return err
	}
	if f.reveal {
		e.printf("this shows who the patients are: mind who looks, and where it is kept")
	} else {
		e.printf("patients are masked; --reveal shows them")
	}
	return e.answer(doc, doc.write)
}

func readBoard(ctx context.Context, t *app.Tools, f boardFlags) (boardDoc, error) {
	owner, err := findTenant(ctx, t.Ledger, f.tenant)
	if err != nil {
		return boardDoc{}, err
	}
	number, err := selectPractice(owner, f.practice)
	if err != nil {
		return boardDoc{}, err
	}
	zone, err := time.LoadLocation(owner.TimeZone)
	if err != nil {
		return boardDoc{}, fmt.Errorf("tenant %s: its time zone is not known here", owner.ID)
	}
	now := time.Now()
	day := civil.DateOf(now.In(zone))
	if f.date != "" {
		day, _ = civil.ParseDate(f.date) // was checked
	}
	read, err := t.Store.Board(ctx, owner.ID, number, day)
	if errors.Is(err, practice.ErrCold) {
		return boardDoc{}, cold(f.tenant, number, day)
	}
	if err != nil {
		return boardDoc{}, err
	}
	return boardDoc{
		Tenant: f.tenant, Practice: number, Date: day, Zone: owner.TimeZone, AsOf: read.AsOf,
		AgeSeconds: now.Sub(read.AsOf).Seconds(), Stale: read.Stale, Hit: read.Hit, Missing: read.Missing,
		Unknown: read.Unknown, Masked: !f.reveal, zone: zone, now: now,
		Rows: boardRows(read.Board.Rows, t.Store.Names(owner.ID), zone, f.reveal),
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
			Ref: refs.Appointment(r.Appointment), Start: r.Start.In(zone), End: r.End.In(zone), Status: r.Status, Known: r.Known,
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

// selectPractice returns the practice asked for, or the tenant's only one.
func selectPractice(t ledger.Tenant, asked string) (string, error) {
	if asked == "" && len(t.Practices) == 1 {
		return t.Practices[0].ID, nil
	}
	all := make([]string, 0, len(t.Practices))
	for _, p := range t.Practices {
		if p.ID == asked {
			return asked, nil
		}
		all = append(all, "--practice "+p.ID)
	}
	f := &failure{Exit: exitNotFound, Code: "PRACTICE_NOT_FOUND", What: fmt.Sprintf("%s has no practice %q", t.ID, asked), Try: all}
	if asked == "" {
		f.Exit, f.Code, f.What = exitUsage, "USAGE", "--practice is missing: the tenant has several"
	}
	return "", f
}

func cold(tenant, number string, day civil.Date) *failure {
	return &failure{
		Exit: exitNotFound, Code: "COLD", What: "nothing is known of this day yet", cause: practice.ErrCold,
		Means: "the vendor was not asked about it, or what it said has expired",
		Try: []string{
			fmt.Sprintf("rounds enqueue schedule.sync --tenant %s --arg practice=%s --arg from=%s --arg to=%s", tenant, number, day, day),
			"rounds doctor",
		},
	}
}

func (d boardDoc) write(w io.Writer) {
	state := "current"
	if d.Stale {
		state = "stale: it changed since, and the vendor was not asked again yet"
	}
	_, _ = fmt.Fprintf(w, "%s, practice %s, %s: %d visits, confirmed %s (%s), %s\n", d.Tenant, d.Practice, d.Date,
		len(d.Rows), diagnose.Ago(d.AsOf, d.now), d.AsOf.In(d.zone).Format("15:04:05 MST"), state)
	if d.Missing > 0 {
		_, _ = fmt.Fprintf(w, "visits that are not on it, because they are not in the cache: %d\n", d.Missing)
	}
	if d.Unknown > 0 {
		_, _ = fmt.Fprintf(w, "rows whose patient's record is not in the cache yet: %d\n", d.Unknown)
	}
	table(w, []string{"TIME", "STATUS", "PATIENT", "BORN", "PROVIDER", "REASON", "REF"}, d.Rows, func(r boardRow) []string {
		return []string{r.Start.Format("15:04"), string(r.Status), r.Name, r.Born, r.Provider, r.Reason, string(r.Ref)}
	})
}
