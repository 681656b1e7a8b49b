package gateway

import (
	"context"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

type boardInput struct {
	Practice    string `path:"practice" doc:"The practice's number."`
	Date        string `query:"date" format:"date" doc:"The day; defaults to today in the practice's time zone."`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of a copy that the caller has. If nothing changed, the response is 304."`
}

// board is the day board as callers see it.
type board struct {
	Ref      phi.Ref `json:"ref" doc:"Identifies the board in the views of an event."`
	Practice string  `json:"practice" doc:"The practice's number."`
	Entries
}

// Entries is what all views of a day have: its rows, and how fresh and complete they are.
type Entries struct {
	Date       civil.Date `json:"date" format:"date" doc:"The day."`
	Zone       string     `json:"zone" doc:"The practice's time zone." example:"America/Chicago"`
	AsOf       time.Time  `json:"as_of" doc:"When the vendor last confirmed the day."`
	Stale      bool       `json:"stale" doc:"Whether any part is known to have changed since."`
	Reason     codes.Code `json:"stale_reason,omitempty" doc:"Why a view stays stale: practice_not_listed or practice_denied, if the vendor cannot be asked; changes_waiting, or a code that begins with cache_, if the cache may lack changes. Absent if the next reading confirms it."`
	Missing    int        `json:"missing" doc:"How many visits of the day are not shown, because they are not cached."`
	Unknown    int        `json:"unknown" doc:"How many rows have a patient whose record is not cached."`
	Rows       []boardRow `json:"rows" nullable:"false" doc:"The entries in order of their start: visits, blocked time and the like."`
	Visits     int        `json:"visits" doc:"How many of the rows are patients' visits."`
	Incomplete []omission `json:"incomplete" nullable:"false" doc:"Why the day may have more visits than these; empty if it has not."`
}

// omission is one reason why a view may show less than the vendor has.
type omission struct {
	Code codes.Code `json:"code" doc:"The reason, such as row_undated or list_cut."`
	Rows int        `json:"rows" doc:"How many rows are not shown for it; 0 if their number is unknown."`
}

// boardRow is one entry.
type boardRow struct {
	Ref         phi.Ref         `json:"ref" doc:"Identifies the appointment in the refs of an event."`
	Appointment phi.Text        `json:"appointment" doc:"The appointment's number."`
	Type        string          `json:"type" enum:"patient,other,unknown" doc:"What kind of entry it is: a patient's visit, or blocked time and the like."`
	Start       time.Time       `json:"start" doc:"Before the day if the entry began earlier."`
	End         time.Time       `json:"end" doc:"After the day if the entry goes on."`
	Minutes     int             `json:"duration_minutes" doc:"From start to end."`
	AllDay      bool            `json:"all_day" doc:"Whether the entry takes whole days."`
	Recurring   bool            `json:"recurring" doc:"Whether the entry belongs to a series."`
	Status      practice.Status `json:"status" doc:"The visit's status: scheduled, confirmed, checked-in, cancelled and so on."`
	Patient     phi.Text        `json:"patient,omitempty" doc:"The patient's number; absent for time blocked without a patient."`
	Known       bool            `json:"known" doc:"Whether the patient's record is cached, or there is no patient."`
	Name        phi.Text        `json:"name,omitempty"`
	Born        phi.Text        `json:"born,omitempty"`
	Phone       phi.Text        `json:"phone,omitempty"`
	Reason      phi.Text        `json:"reason,omitempty" doc:"The practice's reason; of blocked time without one, the first line of the notes."`
	Provider    string          `json:"provider,omitempty"`
	Location    string          `json:"location,omitempty"`
}

func (g *Gateway) registerBoard() {
	registerView[board](g, huma.Operation{
		OperationID: "get-board", Path: "/v1/practices/{practice}/board",
		Summary: "Read a practice's day",
	}, g.getBoard)
}

func (g *Gateway) getBoard(ctx context.Context, in *boardInput) (*viewOutput, error) {
	zone, err := g.practice(ctx, in.Practice)
	if err != nil {
		return nil, err
	}
	day, err := g.day(in.Date, zone)
	if err != nil {
		return nil, err
	}
	owner := callerOf(ctx).Tenant
	var got practice.BoardRead
	err = g.readOrDemand(ctx, in.Practice, func(ctx context.Context) (found bool, err error) {
		got, err = g.Store.Board(ctx, owner, in.Practice, day)
		return foundUnlessCold(err)
	}, tasks.SyncSchedule{Practice: in.Practice, From: day, To: day})
	if err != nil {
		return nil, err
	}
	names := g.Store.Names(owner)
	doc := board{Ref: names.Board(in.Practice, day), Practice: in.Practice, Entries: entriesOf(got.Board, got.Freshness, names, zone)}
	return g.render(ctx, in.IfNoneMatch, doc, got.Freshness)
}

// entriesOf returns the entries of a board, or of a part of one.
func entriesOf(b practice.Board, fresh practice.Freshness, names practice.Names, zone *time.Location) Entries {
	return Entries{
		Date: b.Date, Zone: zone.String(), AsOf: fresh.AsOf.UTC(), Stale: fresh.Stale, Reason: fresh.Reason.Shown(),
		Missing: fresh.Missing, Unknown: fresh.Unknown, Rows: rowsOf(b.Rows, names, zone), Visits: practice.Visits(b.Rows),
		Incomplete: omissionsOf(b.Incomplete),
	}
}

func rowsOf(in []practice.BoardRow, names practice.Names, zone *time.Location) []boardRow {
	rows := make([]boardRow, 0, len(in))
	for _, row := range in {
		rows = append(rows, boardRow{
			Ref: names.Appointment(row.Key()), Appointment: row.Appointment, Start: row.Start.In(zone), End: row.End.In(zone),
			Type: row.Type.String(), Minutes: minutes(row.Start, row.End), AllDay: row.AllDay, Recurring: row.Recurring,
			Status: row.Status, Patient: row.Patient, Known: row.Known, Name: row.Name, Born: row.Born, Phone: row.Phone,
			Reason: row.Reason, Provider: row.Provider, Location: row.Location,
		})
	}
	return rows
}

func minutes(start, end time.Time) int { return int(end.Sub(start) / time.Minute) }

func omissionsOf(in []practice.Omission) []omission {
	out := make([]omission, 0, len(in))
	for _, o := range in {
		out = append(out, omission(o))
	}
	return out
}

// day parses a date parameter. An empty one means today in the practice's time zone.
func (g *Gateway) day(text string, zone *time.Location) (civil.Date, error) {
	if text == "" {
		return civil.DateOf(g.Now().In(zone)), nil
	}
	d, err := civil.ParseDate(text)
	if err != nil {
		return civil.Date{}, fail(codes.MalformedQuery, "date must be a day in the format 2006-01-02")
	}
	return d, nil
}
