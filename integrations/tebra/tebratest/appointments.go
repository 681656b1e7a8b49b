package tebratest

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

const usLayout = "1/2/2006 3:04:05 PM"

func usDate(t time.Time) string { return t.Format(usLayout) }

var (
	errRange    = errors.New("range is too long")
	errDayFails = errors.New("day is set to fail")
)

// window is a range of calendar days, or of times if the filter contains times of day.
type window struct{ from, to time.Time }

func (w window) isSet() bool { return !w.from.IsZero() || !w.to.IsZero() }

func (w window) contains(t time.Time) bool {
	return (w.from.IsZero() || !t.Before(w.from)) && (w.to.IsZero() || !t.After(w.to))
}

// failsOn reports whether lists of a range of days are set to fail.
func (h *handler) failsOn(c *Clinic, days window) bool {
	return days.isSet() && slices.ContainsFunc(h.faults.FailDays, func(day string) bool {
		begin, err := time.ParseInLocation(time.DateOnly, day, c.zone)
		return err == nil && (days.to.IsZero() || !begin.After(days.to)) && begin.AddDate(0, 0, 1).After(days.from)
	})
}

// appointmentQuery is a GetAppointments filter as the vendor interprets it.
type appointmentQuery struct {
	filter                    message
	visits, created, modified window
	overlap                   bool // visits selects what overlaps it
	// Offset at which rows are written; nil means the practice's zone.
	offset *time.Location
}

func (h *handler) getAppointments() (result, error) {
	filter, ok := h.in.object("Filter")
	if !ok {
		res := nullReference
		res.stackTrace = "   at KareoServicesWCF.Validation.ValidationHelper.ValidateDateTimeFields(Object filter)"
		return res, nil
	}
	var all []record
	asked := h.clinics(filter.text("PracticeName"), "")
	for _, c := range asked {
		if !equalsFilter(filter.text("ServiceLocationName"), c.locationName()) {
			continue
		}
		q, err := c.query(filter)
		if errors.Is(err, errRange) && !h.faults.LongRanges {
			return result{}, err
		}
		if err != nil && !errors.Is(err, errRange) {
			return businessError("A date in the filter is not valid."), nil
		}
		if h.failsOn(c, q.visits) {
			return result{}, errDayFails
		}
		for _, v := range c.search(q, h.faults.Stale) {
			all = append(all, c.appointmentRow(v, q))
		}
	}
	if c := h.foreignClinic(asked); c != nil {
		if today := c.day(dayNumber(c.now())); len(today) > 0 {
			all = append(all, c.appointmentRow(today[0], appointmentQuery{}))
		}
	}
	return h.listResult("Appointments", rowsOf(all...)), nil
}

// query parses the filter and adds the vendor's default window if the filter has no dates.
func (c *Clinic) query(filter message) (appointmentQuery, error) {
	q := appointmentQuery{filter: filter, overlap: c.server.isOdd(OddOverlap)}
	zone := c.zone
	if hours, err := strconv.Atoi(filter.text("TimeZoneOffsetFromGMT")); err == nil && -14 <= hours && hours <= 14 {
		q.offset = time.FixedZone("", hours*3600)
		zone = q.offset
	}
	var errs [3]error
	q.visits, errs[0] = readWindow(filter, "StartDate", "EndDate", zone)
	q.created, errs[1] = readWindow(filter, "FromCreatedDate", "ToCreatedDate", zone)
	q.modified, errs[2] = readWindow(filter, "FromLastModifiedDate", "ToLastModifiedDate", zone)
	if err := errors.Join(errs[:]...); err != nil {
		return q, err
	}
	// Changes are compared by day, whatever time of day the filter contains.
	q.created, q.modified = q.created.wholeDays(), q.modified.wholeDays()
	now := c.now()
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, c.zone)
	if q.visits.isSet() || !q.created.isSet() && !q.modified.isSet() {
		switch {
		case !q.visits.isSet():
			q.visits.from = today.AddDate(0, 0, -3)
		case q.visits.from.IsZero():
			q.visits.from = today.AddDate(0, 0, -7)
		}
		if q.visits.to.IsZero() {
			q.visits.to = q.visits.from.AddDate(0, 0, 7)
		}
	}
	if q.visits.to.Sub(q.visits.from) > 60*24*time.Hour+2*time.Hour {
		return q, errRange
	}
	return q, nil
}

func (w window) wholeDays() window {
	if !w.from.IsZero() {
		w.from = time.Date(w.from.Year(), w.from.Month(), w.from.Day(), 0, 0, 0, 0, w.from.Location())
	}
	if !w.to.IsZero() {
		w.to = time.Date(w.to.Year(), w.to.Month(), w.to.Day(), 23, 59, 59, 999_999_999, w.to.Location())
	}
	return w
}

func readWindow(filter message, from, to string, zone *time.Location) (w window, err error) {
	if w.from, _, err = readDate(filter.text(from), zone); err != nil {
		return w, err
	}
	var bare bool
	w.to, bare, err = readDate(filter.text(to), zone)
	if bare { // a date without a time includes the whole day
		w.to = w.to.AddDate(0, 0, 1).Add(-time.Nanosecond)
	}
	return w, err
}

func readDate(text string, zone *time.Location) (t time.Time, bare bool, err error) {
	if text == "" {
		return t, false, nil
	}
	for _, layout := range []string{time.DateOnly, "1/2/2006", usLayout, time.RFC3339, "2006-01-02T15:04:05"} {
		if t, err = time.ParseInLocation(layout, text, zone); err == nil {
			return t, layout == time.DateOnly || layout == "1/2/2006", nil
		}
	}
	return t, false, err
}

// search returns the visits that match the query, as they were the given time ago. It goes through
// the days of the window, or, without a window, through the days with visits that may have been
// booked or changed.
func (c *Clinic) search(q appointmentQuery, stale time.Duration) []*Visit {
	first, last := c.searchDays(q)
	at := time.Now().Add(-stale)
	var found []*Visit
	for number := first - maxEntryDays; number <= last; number++ {
		for _, v := range c.oddEntries(number) {
			if q.matches(v) {
				found = append(found, v)
			}
		}
		if number < first && !q.overlap {
			continue
		}
		for _, v := range c.day(number) {
			if stale > 0 && len(c.visitHistory[v.ID]) > 0 {
				continue // it may have been on another day then
			}
			if !v.Deleted && q.matches(v) {
				found = append(found, v)
			}
		}
	}
	if stale <= 0 {
		return found
	}
	for id := range c.visitHistory {
		was := c.asOf(c.visits[id], at)
		if day := dayNumber(was.Start); was.ID != "" && !was.Deleted && first <= day && day <= last && q.matches(was) {
			found = append(found, was)
		}
	}
	sortVisits(found)
	return found
}

// maxEntryDays is how many days before a range are searched for entries that reach into it.
const maxEntryDays = 14

// maxSearchDays is how many days a search goes through: five years of a practice's data plus the
// margin for changes.
const maxSearchDays = 5*366 + 2*60

// searchDays returns the range of days to search, limited to the latest maxSearchDays. A range of
// changes is extended by 60 days, because visits are seldom booked or moved further ahead.
func (c *Clinic) searchDays(q appointmentQuery) (first, last int) {
	w := q.visits
	if !w.isSet() {
		w = q.created
		if q.modified.isSet() {
			w = q.modified
		}
		if w.to.IsZero() { // nothing has changed after now
			w.to = c.now()
		}
		if w.from.IsZero() {
			w.from = w.to.AddDate(-5, 0, 0)
		}
		w = window{w.from.AddDate(0, 0, -60), w.to.AddDate(0, 0, 60)}
	}
	first, last = dayNumber(w.from.In(c.zone)), dayNumber(w.to.In(c.zone))
	return max(first, last-maxSearchDays), last
}

// inRange reports whether the range selects a visit, by its start unless overlap is set.
func (q appointmentQuery) inRange(v *Visit) bool {
	if !q.overlap {
		return q.visits.contains(v.Start)
	}
	return (q.visits.from.IsZero() || v.End.After(q.visits.from) || v.Start.Equal(q.visits.from)) &&
		(q.visits.to.IsZero() || !v.Start.After(q.visits.to))
}

func (q appointmentQuery) matches(v *Visit) bool {
	f := q.filter
	return q.inRange(v) && q.created.contains(v.Created) && q.modified.contains(v.Modified) &&
		equalsFilter(f.text("ConfirmationStatus"), v.Status) && equalsFilter(f.text("PatientID"), v.PatientID) &&
		equalsFilter(f.text("ResourceName"), v.Provider) && equalsFilter(f.text("AppointmentReason"), v.Reason) &&
		v.hasType(f.text("Type")) && strings.Contains(strings.ToLower(v.Patient), strings.ToLower(f.text("PatientFullName")))
}

func (c *Clinic) appointmentRow(v *Visit, q appointmentQuery) record {
	date := func(t time.Time) string {
		if q.offset != nil {
			return usDate(t.In(q.offset))
		}
		return usDate(t.In(c.zone))
	}
	entered := func(t time.Time) string {
		if v.Skipped == 0 || q.offset != nil {
			return date(t)
		}
		clock := t.In(c.zone)
		clock = time.Date(clock.Year(), clock.Month(), clock.Day(), clock.Hour(), clock.Minute(), clock.Second(), 0, time.UTC)
		return usDate(clock.Add(-v.Skipped))
	}
	r := record{
		"AllDay": "False", "AppointmentDuration": strconv.Itoa(int(v.End.Sub(v.Start).Minutes())),
		"AppointmentReason1": v.Reason, "AppointmentReasonID1": reasonIDByName(v.Reason),
		"ConfirmationStatus": v.Status, "CreatedDate": date(v.Created), "EndDate": entered(v.End), "ID": v.ID,
		"LastModifiedDate": date(v.Modified), "Notes": v.Notes, "PatientFullName": v.Patient, "PatientID": v.PatientID,
		"PracticeID": c.practiceID(), "PracticeName": c.practice.Name, "Recurring": "False",
		"ResourceID1": v.ProviderID, "ResourceName1": v.Provider, "ResourceTypeID1": "1",
		"ServiceLocationID": c.locationID(), "ServiceLocationName": c.locationName(), "StartDate": entered(v.Start), "Type": cmp.Or(v.Type, "P"),
	}
	if v.AllDay {
		r["AllDay"] = "True"
	}
	if v.CaseID != "" {
		r["PatientCaseID"], r["PatientCaseName"] = v.CaseID, "Default Case"
	}
	if v.Series != 0 {
		r["Recurring"] = "True"
	}
	return r
}
