package gateway

import (
	"context"
	"errors"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

type cardInput struct {
	Patient     string `path:"patient" doc:"The patient's number."`
	Practice    string `query:"practice" doc:"The practice's number; optional if the tenant has only one practice."`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of a copy that the caller has. If nothing changed, the response is 304."`
}

// card is a patient card as callers see it.
type card struct {
	Ref      phi.Ref     `json:"ref" doc:"Identifies the patient in the refs of an event."`
	Practice string      `json:"practice" doc:"The practice whose visits are shown."`
	Zone     string      `json:"zone" doc:"The practice's time zone."`
	AsOf     time.Time   `json:"as_of" doc:"When the vendor last confirmed the oldest part of the card."`
	Stale    bool        `json:"stale" doc:"Whether any part is known to have changed since."`
	Reason   codes.Code  `json:"stale_reason,omitempty" doc:"Why a view stays stale: practice_not_listed or practice_denied, if the vendor cannot be asked; changes_waiting, or a code that begins with cache_, if the cache may lack changes. Absent if the next reading confirms it."`
	From     civil.Date  `json:"from" format:"date" doc:"The first day whose visits are shown."`
	To       civil.Date  `json:"to" format:"date" doc:"The last day whose visits are shown."`
	Missing  int         `json:"missing" doc:"How many visits are not on the card, because they are not cached."`
	Unknown  int         `json:"unknown" doc:"How many days are not cached; the patient may have visits on them."`
	Patient  patient     `json:"patient" doc:"The patient's record."`
	Visits   []cardVisit `json:"visits" nullable:"false" doc:"The visits in order of their start."`

	Incomplete []dayOmission `json:"incomplete" nullable:"false" doc:"Why the days may have more visits of the patient than these; empty if they have not."`
}

// dayOmission is one reason why one day of a card may show less than the vendor has.
type dayOmission struct {
	Day  civil.Date `json:"day" format:"date" doc:"The day."`
	Code codes.Code `json:"code" doc:"The reason, such as row_undated or list_cut."`
	Rows int        `json:"rows" doc:"How many rows of the day are not shown for it, of any patient; 0 if their number is unknown. A row whose day is unknown counts for each day."`
}

// patient is a patient's record.
type patient struct {
	ID     phi.Text `json:"id" doc:"The patient's number."`
	First  phi.Text `json:"first,omitempty"`
	Middle phi.Text `json:"middle,omitempty"`
	Last   phi.Text `json:"last,omitempty"`
	Born   phi.Text `json:"born,omitempty" format:"date"`
	Gender phi.Text `json:"gender,omitempty"`
	Mobile phi.Text `json:"mobile,omitempty"`
	Home   phi.Text `json:"home,omitempty"`
	Email  phi.Text `json:"email,omitempty"`
}

// cardVisit is one visit of a patient.
type cardVisit struct {
	Ref         phi.Ref         `json:"ref" doc:"Identifies the appointment in the refs of an event."`
	Appointment phi.Text        `json:"appointment" doc:"The appointment's number."`
	Day         civil.Date      `json:"day" format:"date" doc:"The day of the visit."`
	Start       time.Time       `json:"start"`
	End         time.Time       `json:"end"`
	Minutes     int             `json:"duration_minutes" doc:"From start to end."`
	AllDay      bool            `json:"all_day" doc:"Whether the visit takes whole days."`
	Recurring   bool            `json:"recurring" doc:"Whether the visit belongs to a series."`
	Status      practice.Status `json:"status"`
	Reason      phi.Text        `json:"reason,omitempty"`
	Provider    string          `json:"provider,omitempty"`
	Location    string          `json:"location,omitempty"`
}

type providerDayInput struct {
	Provider    string `path:"provider" doc:"The provider's number."`
	Practice    string `query:"practice" doc:"The practice's number; optional if the tenant has only one practice."`
	Date        string `query:"date" format:"date" doc:"The day; defaults to today in the practice's time zone."`
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of a copy that the caller has. If nothing changed, the response is 304."`
}

// providerDay is a provider's day as callers see it.
type providerDay struct {
	Practice string `json:"practice" doc:"The practice's number."`
	Provider string `json:"provider" doc:"The provider's number."`
	Name     string `json:"name,omitempty" doc:"The provider's name, if it is known."`
	Entries
}

func (g *Gateway) registerPeople() {
	registerView[card](g, huma.Operation{
		OperationID: "get-patient", Path: "/v1/patients/{patient}",
		Summary: "Read a patient's card: the record and the visits of the next four weeks",
	}, g.getPatient)
	registerView[providerDay](g, huma.Operation{
		OperationID: "get-provider-day", Path: "/v1/providers/{provider}/day",
		Summary: "Read a provider's day, which is empty for an unknown provider",
	}, g.getProviderDay)
}

func (g *Gateway) getPatient(ctx context.Context, in *cardInput) (*viewOutput, error) {
	zone, number, err := g.practiceOrOnly(ctx, in.Practice)
	if err != nil {
		return nil, err
	}
	missing := tasks.SyncPatient{Practice: number, Patient: tasks.PatientID(in.Patient)}
	if missing.Validate() != nil {
		return nil, fail(codes.NotFound, "")
	}
	owner, id := callerOf(ctx).Tenant, phi.Text(in.Patient)
	today := civil.DateOf(g.Now().In(zone))
	var got practice.CardRead
	err = g.readOrDemand(ctx, number, func(ctx context.Context) (found bool, err error) {
		got, err = g.Store.PatientCard(ctx, owner, number, id, today)
		return foundUnlessCold(err)
	}, missing)
	if errors.Is(err, practice.ErrAbsent) {
		return nil, fail(codes.NotFound, "")
	}
	if err != nil {
		return nil, err
	}
	return g.render(ctx, in.IfNoneMatch, cardOf(got, g.Store.Names(owner), zone), got.Freshness)
}

func cardOf(r practice.CardRead, names practice.Names, zone *time.Location) card {
	p := r.Card.Patient
	c := card{
		Ref: names.Patient(p.ID), Practice: r.Card.Practice, Zone: zone.String(), AsOf: r.AsOf.UTC(), Stale: r.Stale, Reason: r.Reason.Shown(),
		From: r.Card.From, To: r.Card.To, Missing: r.Missing, Unknown: r.Unknown,
		Patient: patient{
			ID: p.ID, First: p.First, Middle: p.Middle, Last: p.Last, Born: p.Born, Gender: p.Gender, Mobile: p.Mobile, Home: p.Home,
			Email: p.Email,
		},
		Visits: make([]cardVisit, 0, len(r.Card.Visits)), Incomplete: make([]dayOmission, 0, len(r.Card.Incomplete)),
	}
	for _, o := range r.Card.Incomplete {
		c.Incomplete = append(c.Incomplete, dayOmission{o.Day, o.Code, o.Rows})
	}
	for _, v := range r.Card.Visits {
		c.Visits = append(c.Visits, cardVisit{
			Ref: names.Appointment(v.Key()), Appointment: v.Appointment, Day: v.Day, Start: v.Start.In(zone), End: v.End.In(zone),
			Minutes: minutes(v.Start, v.End), AllDay: v.AllDay, Recurring: v.Recurring,
			Status: v.Status, Reason: v.Reason, Provider: v.Provider, Location: v.Location,
		})
	}
	return c
}

func (g *Gateway) getProviderDay(ctx context.Context, in *providerDayInput) (*viewOutput, error) {
	zone, number, err := g.practiceOrOnly(ctx, in.Practice)
	if err != nil {
		return nil, err
	}
	day, err := g.day(in.Date, zone)
	if err != nil {
		return nil, err
	}
	wanted := tasks.WarmView{View: tasks.ProviderDay, Practice: number, Provider: in.Provider, Date: day}
	if wanted.Validate() != nil {
		return nil, fail(codes.NotFound, "")
	}
	owner := callerOf(ctx).Tenant
	var got practice.ProviderDayRead
	err = g.readOrDemand(ctx, number, func(ctx context.Context) (found bool, err error) {
		got, err = g.Store.ProviderDay(ctx, owner, number, in.Provider, day)
		return foundUnlessCold(err)
	}, wanted.Source())
	if err != nil {
		return nil, err
	}
	rows := practice.Board{Date: day, Rows: got.ProviderDay.Rows, Incomplete: got.ProviderDay.Incomplete}
	doc := providerDay{
		Practice: number, Provider: in.Provider, Name: got.ProviderDay.Name,
		Entries: entriesOf(rows, got.Freshness, g.Store.Names(owner), zone),
	}
	return g.render(ctx, in.IfNoneMatch, doc, got.Freshness)
}

// practiceOrOnly is like practice, but accepts an empty id if the tenant has exactly one practice,
// and returns that one's number too.
func (g *Gateway) practiceOrOnly(ctx context.Context, id string) (zone *time.Location, number string, err error) {
	if id == "" {
		c, err := g.tenants.get(ctx, callerOf(ctx).Tenant)
		switch {
		case err != nil:
			return nil, "", err
		case len(c.practices) != 1:
			return nil, "", fail(codes.MalformedQuery, "practice is required, unless there is exactly one")
		}
		id = c.practices[0]
	}
	zone, err = g.practice(ctx, id)
	return zone, id, err
}
