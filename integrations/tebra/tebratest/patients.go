package tebratest

import (
	"errors"
	"slices"
	"strconv"
	"time"
)

var errPatientFails = errors.New("patient is set to fail")

// getPatient returns no patient, rather than an error, for an identifier that the account does not
// have.
func (h *handler) getPatient() (result, error) {
	filter, ok := h.in.object("Filter")
	if !ok {
		return nullReference, nil
	}
	c, n, ok := h.findPatient(filter)
	if !ok {
		return result{members: record{}}, nil
	}
	id := strconv.Itoa(c.patientIDBase() + n + 1)
	switch {
	case h.failsFor(id):
		return result{}, errPatientFails
	case slices.Contains(h.faults.AbsentPatients, id):
		return result{members: record{}}, nil
	}
	n = c.survivor(n)
	p, columns := c.patientForRead(h, n)
	if p.ID == "" {
		return result{members: record{}}, nil
	}
	row := c.patientRow(n, p, columns)
	row["Cases"] = c.cases(n)
	return result{members: record{"Patient": row}}, nil
}

// failsFor reports whether reads of the patient are set to fail.
func (h *handler) failsFor(id string) bool { return slices.Contains(h.faults.FailPatients, id) }

// findPatient returns the patient that a filter selects, by Tebra or external identifier.
func (h *handler) findPatient(filter message) (c *Clinic, n int, ok bool) {
	vendor, _ := strconv.Atoi(filter.text("ExternalVendorID"))
	for _, c := range h.account.clinics {
		if n, ok := c.patientIndex(filter.text("PatientID")); ok {
			return c, n, true
		}
		if n, ok := c.externalIDs[externalID{vendor, filter.text("ExternalID")}]; ok && filter.text("PatientID") == "" {
			return c, n, true
		}
	}
	return nil, 0, false
}

// patientForRead returns a patient as reads see it: the current record, or an earlier one if reads
// are stale. The record has no identifier if the patient did not exist yet.
func (c *Clinic) patientForRead(w *handler, n int) (Person, map[string]string) {
	if w.faults.Stale > 0 {
		at := time.Now().Add(-w.faults.Stale)
		for _, p := range c.personHistory[n] {
			if at.Before(p.until) {
				return p.person, p.columns
			}
		}
	}
	return c.patient(n), c.patientColumns[n]
}

// patientRow returns a row of the lists, which is also most of a single record.
func (c *Clinic) patientRow(n int, p Person, columns map[string]string) record {
	r := c.random("details", n)
	doctor := c.provider(r.IntN(max(c.practice.Providers, 1)))
	insurer := pick(r, insurers)
	row := record{
		"AddressLine1": strconv.Itoa(1+r.IntN(999)) + " " + pick(r, streets), "City": "Sampleton", "Country": "USA",
		"State": "TX", "ZipCode": "00000", "CreatedDate": usDate(p.Created.In(c.zone)),
		"DOB": "", "EmailAddress": p.Email, "FirstName": p.FirstName,
		"Gender": pick(r, []string{"Female", "Male", "Unknown"}), "HomePhone": p.Phone, "ID": p.ID,
		"LastModifiedDate": usDate(p.Modified.In(c.zone)), "LastName": p.LastName, "PatientFullName": p.Name(),
		"MedicalRecordNumber": "MRN" + p.ID, "PracticeId": c.practiceID(), "PracticeName": c.practice.Name,
		"DefaultRenderingProviderId": doctor.id, "DefaultRenderingProviderFullName": doctor.name(),
		"PrimaryInsurancePolicyCompanyName": insurer, "PrimaryInsurancePolicyNumber": "TEST" + p.ID,
	}
	if r.IntN(10) == 0 {
		row["AlertMessage"] = "Prefers the <side> entrance & a call before " + strconv.Itoa(8+r.IntN(9)) + ":00"
	}
	if r.IntN(3) == 0 && p.Email == syntheticEmail(p.ID) {
		delete(row, "EmailAddress")
	}
	if !p.BirthDate.IsZero() {
		row["DOB"] = usDate(p.BirthDate)
	}
	for name, value := range columns {
		row[name] = value
	}
	return row
}

func (c *Clinic) caseID(n int) string { return strconv.Itoa(c.patientIDBase()*3 + n + 1) }

// cases returns the single case that every patient has.
func (c *Clinic) cases(n int) []record {
	p := c.patient(n)
	return []record{{
		"InsurancePolicies": []record{{
			"CompanyName": pick(c.random("details", n), insurers), "Number": "TEST" + p.ID, "PatientCaseID": c.caseID(n),
		}},
		"IsPrimaryCase": "true", "Name": "Default Case", "PatientCaseID": c.caseID(n), "PayerScenario": "Insurance",
	}}
}

func (h *handler) getPatients() (result, error) {
	filter, _ := h.in.object("Filter")
	clinics := h.clinics(filter.text("PracticeName"), filter.text("PracticeID"))
	queries := make([]patientQuery, len(clinics))
	for i, c := range clinics {
		var ok bool
		if queries[i], ok = c.patientQuery(filter); !ok {
			return businessError("A date in the filter is not valid."), nil
		}
	}
	return h.listResult("Patients", func(yield func(record) bool) {
		for _, row := range h.foreignPatientRow(clinics) {
			if !yield(row) {
				return
			}
		}
		for i, c := range clinics {
			for n := range c.patients {
				p, columns := c.patientForRead(h, n)
				if queries[i].matches(p) && !h.failsFor(p.ID) && !c.isMerged(n) && !yield(c.patientRow(n, p, columns)) {
					return
				}
			}
		}
	}), nil
}

// foreignPatientRow returns the row of a foreign patient, if the call is to return foreign rows.
func (h *handler) foreignPatientRow(asked []*Clinic) []record {
	c := h.foreignClinic(asked)
	if c == nil || c.patients == 0 {
		return nil
	}
	return []record{c.patientRow(0, c.patient(0), c.patientColumns[0])}
}

// patientQuery is a GetPatients filter as the vendor interprets it.
type patientQuery struct {
	filter                  message
	created, modified, born window // the end of born is exclusive
}

// patientQuery parses the filter. ok is false if one of its dates is invalid.
func (c *Clinic) patientQuery(filter message) (q patientQuery, ok bool) {
	q.filter = filter
	var errs [4]error
	q.created, errs[0] = readWindow(filter, "FromCreatedDate", "ToCreatedDate", c.zone)
	q.modified, errs[1] = readWindow(filter, "FromLastModifiedDate", "ToLastModifiedDate", c.zone)
	q.born.from, _, errs[2] = readDate(filter.text("FromDateOfBirth"), time.UTC)
	q.born.to, _, errs[3] = readDate(filter.text("ToDateOfBirth"), time.UTC)
	q.created, q.modified = q.created.wholeDays(), q.modified.wholeDays()
	return q, errors.Join(errs[:]...) == nil
}

func (q *patientQuery) matches(p Person) bool {
	f := q.filter
	return p.ID != "" && containsFilter(f.text("FirstName"), p.FirstName) && containsFilter(f.text("LastName"), p.LastName) && containsFilter(f.text("FullName"), p.Name()) &&
		q.born.contains(p.BirthDate) && (q.born.to.IsZero() || p.BirthDate.Before(q.born.to)) &&
		q.created.contains(p.Created) && q.modified.contains(p.Modified)
}

func (h *handler) getAllPatients() (result, error) {
	filter, ok := h.in.object("Filter")
	if !ok {
		return nullReference, nil
	}
	size, _ := strconv.Atoi(filter.text("BatchSize"))
	if size < 1 || size > 1000 {
		size = 200
	}
	from, _ := strconv.Atoi(filter.text("StartKey"))
	clinics := h.clinics("", filter.text("PracticeID"))
	page, next := []record{}, ""
	for _, c := range clinics {
		for n := max(from-c.patientIDBase()-1, 0); n < c.patients && next == ""; n++ {
			if len(page) == size {
				next = strconv.Itoa(c.patientIDBase() + n + 1)
				continue
			}
			if p, columns := c.patientForRead(h, n); p.ID != "" && !h.failsFor(p.ID) && !c.isMerged(n) {
				page = append(page, c.patientRow(n, p, columns))
			}
		}
	}
	res := h.listResult("Patients", rowsOf(append(h.foreignPatientRow(clinics), page...)...))
	if next != "" && !h.isOdd(OddNoNextKey) {
		res.members["Key"] = record{"nextStartKey": next}
	}
	return res, nil
}
