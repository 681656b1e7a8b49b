package tebra

import (
	"context"
	"encoding/xml"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// ListPatientsRequest says which patients of a practice. Days are calendar days: only the year, month and day that a time
// shows in its own location count. Ranges have both ends or none. The vendor matches text as it likes: whether a name is
// compared whole or in part is not documented, so look at what comes back.
type ListPatientsRequest struct {
	PracticeName string // required, or PracticeID
	PracticeID   string
	FirstName    phi.Text
	LastName     phi.Text
	FullName     phi.Text
	BornFrom     phi.Text  // 2006-01-02, first day of birth
	BornTo       phi.Text  // 2006-01-02, last day of birth
	CreatedFrom  time.Time // first and last day of the record's making
	CreatedTo    time.Time
	ModifiedFrom time.Time // first and last day of the record's last change; the vendor compares days, so overlap
	ModifiedTo   time.Time
}

// Patients is one list. The vendor does not promise an order.
type Patients struct {
	Rows    []Patient
	Partial bool // the list reached the vendor's cap of 10,000 rows: narrow the request, or read Pages
}

// List returns the patients that req describes, with one call (GetPatients: patients by filter). Cases are not in these
// rows: Get has them.
func (s *PatientsService) List(ctx context.Context, req ListPatientsRequest) (Patients, error) {
	l, err := req.listing()
	if err != nil {
		return Patients{}, err
	}
	rows, partial, err := l.all(ctx, s.client)
	if err != nil {
		return Patients{}, err
	}
	return Patients{Rows: rows, Partial: partial}, nil
}

// Rows is List for those who need not hold all rows at once; 10,000 of them are tens of megabytes. Each iteration is one
// call, whose time limit runs while the rows are consumed. Rows count only when the iteration ends without an error: an
// answer may break behind any of them. ErrPartial at the end says that there may be more rows.
func (s *PatientsService) Rows(ctx context.Context, req ListPatientsRequest) iter.Seq2[Patient, error] {
	l, err := req.listing()
	if err != nil {
		return func(yield func(Patient, error) bool) { yield(Patient{}, err) }
	}
	return l.seq(ctx, s.client)
}

func (q *ListPatientsRequest) listing() (*listing[Patient], error) {
	op := &opGetPatients
	born, dayAfter, ok := birthRange(q.BornFrom.Reveal(), q.BornTo.Reveal())
	switch {
	case strings.TrimSpace(q.PracticeName) == "" && strings.TrimSpace(q.PracticeID) == "":
		return nil, invalidRequest(op, "practice")
	case !ok, !validRange(q.CreatedFrom, q.CreatedTo), !validRange(q.ModifiedFrom, q.ModifiedTo):
		return nil, invalidRequest(op, "range")
	}
	return &listing[Patient]{
		op: op, item: "PatientData", decode: patientColumns.row,
		hasID:      func(p *Patient) bool { return p.ID != "" },
		hasContent: (*Patient).hasName,
		write: func(w *writer) {
			w.filter(
				member{"FirstName", q.FirstName.Reveal()},
				member{"FromCreatedDate", utcPair.startOfDay(q.CreatedFrom)},
				member{"FromDateOfBirth", born},
				member{"FromLastModifiedDate", utcPair.startOfDay(q.ModifiedFrom)},
				member{"FullName", q.FullName.Reveal()},
				member{"LastName", q.LastName.Reveal()},
				member{"PracticeID", q.PracticeID},
				member{"PracticeName", q.PracticeName},
				member{"ToCreatedDate", utcPair.endOfDay(q.CreatedTo)},
				member{"ToDateOfBirth", dayAfter},
				member{"ToLastModifiedDate", utcPair.endOfDay(q.ModifiedTo)},
			)
		},
	}, nil
}

// shows reports that a row is of somebody, whom nothing names.
func (p *Patient) hasName() bool { return p.FirstName != "" || p.LastName != "" || p.FullName != "" }

// ordered reports whether a range has both ends in their order, or none.
func validRange(from, to time.Time) bool {
	return from.IsZero() == to.IsZero() && (from.IsZero() || days(from, to) >= 1)
}

// birthdays writes a range of days of birth. The vendor's upper bound is the first day that does not count any more.
func birthRange(from, to string) (first, after string, ok bool) {
	if from == "" && to == "" {
		return "", "", true
	}
	a, errA := time.Parse(time.DateOnly, from)
	b, errB := time.Parse(time.DateOnly, to)
	if errA != nil || errB != nil || b.Before(a) || a.Year() < 1800 {
		return "", "", false
	}
	return from, b.AddDate(0, 0, 1).Format(time.DateOnly), true
}

// PatientPagesRequest says whose patients to read page by page.
type PatientPagesRequest struct {
	PracticeID string   // "" is every practice of the account
	From       phi.Text // the key of the page to begin with, from PatientPage.Next; "" is the first page
	Size       int      // rows of a page, at most 1,000; 0 is 200
}

// PatientPage is one page of all patients.
type PatientPage struct {
	Rows []Patient
	Next phi.Text // the key of the page after this one, in which a patient's identifier may be seen; "" after the last
}

const (
	defaultPageSize = 200  // what integrators use
	maxPageSize     = 1000 // likewise; the contract names no bound
)

// Page returns one page of all patients (GetAllPatients: a bulk read by key). It is throttled to one call in 5 s, so what
// reads every patient keeps Next somewhere and goes on from it later. A page without a word about the next one, or with one
// that lies not behind it, is Malformed.
func (s *PatientsService) Page(ctx context.Context, req PatientPagesRequest) (PatientPage, error) {
	op := &opGetAllPatients
	if req.Size == 0 {
		req.Size = defaultPageSize
	}
	from, okFrom := pageKey(req.From.Reveal())
	_, okPractice := pageKey(req.PracticeID)
	switch {
	case req.Size < 1 || req.Size > op.PageRows:
		return PatientPage{}, invalidRequest(op, "size")
	case !okFrom:
		return PatientPage{}, invalidRequest(op, "key")
	case !okPractice:
		return PatientPage{}, invalidRequest(op, "practice")
	}
	var next int64
	hasKey := false
	l := listing[Patient]{
		op: op, item: "PatientBatchData", decode: patientColumns.row,
		hasID:      func(p *Patient) bool { return p.ID != "" },
		hasContent: (*Patient).hasName,
		write: func(w *writer) {
			w.filter(member{"BatchSize", strconv.Itoa(req.Size)}, member{"PracticeID", req.PracticeID}, member{"StartKey", req.From.Reveal()})
		},
		readOther: func(r *reader, el xml.StartElement) (err error) {
			if el.Name.Local == "Key" {
				hasKey = true
				next, err = r.pageKey()
			}
			return err
		},
		validate: func(partial bool) (Code, string) {
			if partial || !hasKey || next != 0 && next <= from { // it would pass for the last one, or never end
				return Malformed, "key"
			}
			return "", ""
		},
	}
	rows, _, err := l.all(ctx, s.client)
	switch {
	case err != nil:
		return PatientPage{}, err
	case next == 0:
		return PatientPage{Rows: rows}, nil
	}
	return PatientPage{Rows: rows, Next: phi.Text(strconv.FormatInt(next, 10))}, nil
}

// Pages walks all patients from req.From on, one call per page. When a page fails, it yields that error with a page whose
// Next is the key of the one that failed, and ends: begin again from there. A Gate that says "not now" ends it the same way.
func (s *PatientsService) Pages(ctx context.Context, req PatientPagesRequest) iter.Seq2[PatientPage, error] {
	return func(yield func(PatientPage, error) bool) {
		for {
			page, err := s.Page(ctx, req)
			if err != nil {
				yield(PatientPage{Next: req.From}, err)
				return
			}
			if !yield(page, nil) || page.Next == "" {
				return
			}
			req.From = page.Next
		}
	}
}

// pageKey reads an xs:int that is not negative; "" is none.
func pageKey(text string) (int64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n, err == nil && n >= 0
}

// pageKey reads the key of the next page; 0 after the last.
func (r *reader) pageKey() (next int64, err error) {
	err = r.children(func(el xml.StartElement) error {
		if el.Name.Local != "nextStartKey" {
			return nil
		}
		text, err := r.text()
		if err != nil {
			return err
		}
		var ok bool
		if next, ok = pageKey(strings.TrimSpace(text)); !ok {
			return malformedError("key")
		}
		return nil
	}, r.ns)
	return next, err
}
