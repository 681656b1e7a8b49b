package tebra

import (
	"cmp"
	"context"
	"encoding/xml"
	"iter"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// ListPatientsRequest selects patients of a practice. Days are calendar days: only the year, month
// and day count that a time shows in its own location. Set both ends of a range or neither. Whether
// the vendor compares names completely or in part is not documented, so check the rows that it
// returns.
type ListPatientsRequest struct {
	PracticeName string // required, unless PracticeID is set
	PracticeID   string
	FirstName    phi.Text
	LastName     phi.Text
	FullName     phi.Text
	BornFrom     phi.Text // 2006-01-02, first date of birth
	BornTo       phi.Text // 2006-01-02, last date of birth
	// CreatedFrom and CreatedTo are the first and last day of the record's creation.
	CreatedFrom time.Time
	CreatedTo   time.Time
	// ModifiedFrom and ModifiedTo are the first and last day of the record's last change. The
	// vendor compares days, so consecutive requests must overlap.
	ModifiedFrom time.Time
	ModifiedTo   time.Time
}

// Patients is one list. The order of its rows is unspecified.
type Patients struct {
	Rows []Patient
	// Partial reports that the list reached the vendor's limit of 10,000 rows. Narrow the request
	// or use Pages.
	Partial bool
	// SetAside lists the rows that could not be read. With any, do not treat missing rows as
	// deleted.
	SetAside []SetAside
	// Authorized is that of Appointments.
	Authorized []string
}

// List returns the patients that req selects, with one call (GetPatients). The rows do not include
// cases; use Get to read them.
func (s *PatientsService) List(ctx context.Context, req ListPatientsRequest) (Patients, error) {
	l, err := req.listing()
	if err != nil {
		return Patients{}, err
	}
	all, err := l.all(ctx, s.client)
	return Patients{Rows: all.rows, Partial: all.partial, SetAside: all.setAside, Authorized: all.authorized}, err
}

// Rows is like List, but does not hold all rows in memory; 10,000 rows take tens of megabytes. Each
// iteration makes one call, whose timeout runs while the rows are consumed. Rows count only if the
// iteration ends without an error, because a response may be truncated after any row. ErrPartial at
// the end means that there may be more rows.
func (s *PatientsService) Rows(ctx context.Context, req ListPatientsRequest) iter.Seq2[Patient, error] {
	l, err := req.listing()
	if err != nil {
		return failedSeq[Patient](err)
	}
	return l.seq(ctx, s.client)
}

func (q *ListPatientsRequest) listing() (*listing[Patient, Patient], error) {
	op := &opGetPatients
	born, dayAfter, ok := birthRange(q.BornFrom.Reveal(), q.BornTo.Reveal())
	switch {
	case strings.TrimSpace(q.PracticeName) == "" && strings.TrimSpace(q.PracticeID) == "":
		return nil, invalidRequest(op, "practice")
	case !ok, !validRange(q.CreatedFrom, q.CreatedTo), !validRange(q.ModifiedFrom, q.ModifiedTo):
		return nil, invalidRequest(op, "range")
	}
	return &listing[Patient, Patient]{
		op: op, item: "PatientData", columns: patientColumns, finish: itself[Patient],
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

// hasName reports whether a row describes a patient, even without an identifier.
func (p *Patient) hasName() bool { return p.FirstName != "" || p.LastName != "" || p.FullName != "" }

// validRange reports whether a range has both ends in order, or neither.
func validRange(from, to time.Time) bool {
	return from.IsZero() == to.IsZero() && (from.IsZero() || days(from, to) >= 1)
}

// birthRange formats a range of dates of birth. The vendor's upper bound is exclusive.
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

// PatientPagesRequest selects the patients to read page by page.
type PatientPagesRequest struct {
	PracticeID string   // "" selects all practices of the account
	From       phi.Text // key of the first page, from PatientPage.Next; "" starts at the beginning
	Size       int      // rows per page, at most 1,000; 0 means 200
}

// PatientPage is one page of all patients.
type PatientPage struct {
	Rows     []Patient
	SetAside []SetAside // the rows that could not be read
	// Next is the key of the next page; "" on the last page. It may contain a patient's identifier.
	Next phi.Text
	// Full reports that the page has as many rows as the request allows. A full page without Next
	// is not certainly the last one: the vendor may have left out the key.
	Full bool
}

const (
	defaultPageSize = 200  // what integrators use
	maxPageSize     = 1000 // likewise; the contract states no limit
)

// Page returns one page of all patients (GetAllPatients, a bulk read by key). The operation is
// limited to one call in 5 s, so store Next and continue later. A page without a next key element,
// or with a next key that is not greater than the current one, is Malformed.
func (s *PatientsService) Page(ctx context.Context, req PatientPagesRequest) (PatientPage, error) {
	op := &opGetAllPatients
	req.Size = cmp.Or(req.Size, defaultPageSize)
	from, reason := req.check(op.PageRows)
	if reason != "" {
		return PatientPage{}, invalidRequest(op, reason)
	}
	var next int64
	hasKey := false
	l := listing[Patient, Patient]{
		op: op, item: "PatientBatchData", columns: patientColumns, finish: itself[Patient],
		hasID:      func(p *Patient) bool { return p.ID != "" },
		hasContent: (*Patient).hasName,
		write: func(w *writer) {
			w.filter(member{"BatchSize", strconv.Itoa(req.Size)}, member{"PracticeID", req.PracticeID}, member{"StartKey", req.From.Reveal()})
		},
		readOther: func(r *reader, el xml.Name) (err error) {
			if el.Local == "Key" {
				hasKey = true
				next, err = r.pageKey()
			}
			return err
		},
		validate: func(partial bool) (Code, string) {
			// It would look like the last page, or paging would never end.
			if partial || !hasKey || next != 0 && next <= from {
				return Malformed, "key"
			}
			return "", ""
		},
	}
	all, err := l.all(ctx, s.client)
	if err != nil {
		return PatientPage{}, err
	}
	page := PatientPage{Rows: all.rows, SetAside: all.setAside, Full: len(all.rows)+len(all.setAside) >= req.Size}
	if next != 0 {
		page.Next = phi.Text(strconv.FormatInt(next, 10))
	}
	return page, nil
}

// check returns the numeric key of the page, and the reason why a request is invalid or "".
func (q *PatientPagesRequest) check(maxSize int) (from int64, reason string) {
	from, okFrom := pageKey(q.From.Reveal())
	_, okPractice := pageKey(q.PracticeID)
	switch {
	case q.Size < 1 || q.Size > maxSize:
		return 0, "size"
	case !okFrom:
		return 0, "key"
	case !okPractice:
		return 0, "practice"
	}
	return from, ""
}

// Pages reads all patients from req.From on, one call per page. If a call fails or the Gate refuses
// it, Pages yields the error with a page whose Next is the key of the failed page, and ends; to
// resume, start from that key.
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

// pageKey parses a non-negative xs:int; "" is 0.
func pageKey(text string) (int64, bool) {
	if text == "" {
		return 0, true
	}
	n, err := strconv.ParseInt(text, 10, 32)
	return n, err == nil && n >= 0
}

// pageKey reads the key of the next page; it is 0 on the last page.
func (r *reader) pageKey() (next int64, err error) {
	err = r.children(func(el xml.Name) error {
		if el.Local != "nextStartKey" {
			return nil
		}
		text, err := r.word()
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
