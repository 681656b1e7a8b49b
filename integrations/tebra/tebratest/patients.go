package tebratest

import (
	"errors"
	"slices"
	"strconv"
)

var errBroken = errors.New("patient is switched to fail")

// getPatient answers nothing, rather than an error, for an identifier that the account does not have.
func getPatient(s *Server, a *account, request message) (result, error) {
	filter, ok := request.object("Filter")
	if !ok {
		return failed("Object reference not set to an instance of an object."), nil
	}
	id := filter.text("PatientID")
	if slices.Contains(s.faults.FailPatients, id) {
		return result{}, errBroken
	}
	for _, c := range a.clinics {
		n, found := c.number(id)
		if !found || slices.Contains(s.faults.AbsentPatients, id) {
			continue
		}
		r := c.patientRecord(n)
		return result{payload: func(o *output) { o.record("Patient", r) }}, nil
	}
	return result{payload: func(o *output) { o.optional("Patient", "") }}, nil
}

func (c *Clinic) patientRecord(n int) record {
	p := c.patient(n)
	r := c.draw("details", n)
	doctor := c.provider(r.IntN(max(c.practice.Providers, 1)))
	caseID := strconv.Itoa(c.base()*3 + n + 1)
	insurer := pick(r, insurers)
	row := record{
		"AddressLine1": strconv.Itoa(1+r.IntN(999)) + " " + pick(r, streets), "City": "Sampleton", "Country": "USA",
		"State": "TX", "ZipCode": "00000", "CreatedDate": usDate(c.born.AddDate(-3, 0, -r.IntN(300))),
		"DOB": usDate(p.BirthDate), "EmailAddress": p.Email, "FirstName": p.FirstName,
		"Gender": pick(r, []string{"Female", "Male", "Unknown"}), "HomePhone": p.Phone, "ID": p.ID,
		"LastModifiedDate": usDate(p.Modified.In(c.zone)), "LastName": p.LastName, "PatientFullName": p.Name(),
		"MedicalRecordNumber": "MRN" + p.ID, "PracticeId": strconv.Itoa(c.practice.ID), "PracticeName": c.practice.Name,
		"DefaultRenderingProviderId": doctor.id, "DefaultRenderingProviderFullName": doctor.name(),
		"PrimaryInsurancePolicyCompanyName": insurer, "PrimaryInsurancePolicyNumber": "TEST" + p.ID,
		"Cases": list{item: "PatientCaseData", rows: []record{{
			"InsurancePolicies": list{item: "PatientInsurancePolicyData", rows: []record{{
				"CompanyName": insurer, "Number": "TEST" + p.ID, "PatientCaseID": caseID,
			}}},
			"IsPrimaryCase": "true", "Name": "Default Case", "PatientCaseID": caseID, "PayerScenario": "Insurance",
		}}},
	}
	if r.IntN(10) == 0 {
		row["AlertMessage"] = "Prefers the <side> entrance & a call before " + strconv.Itoa(8+r.IntN(9)) + ":00"
	}
	if r.IntN(3) == 0 {
		delete(row, "EmailAddress")
	}
	return row
}
