package tebratest

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// writableColumns are the columns that CreatePatient and UpdatePatient store unchanged.
var writableColumns = strings.Fields(`AddressLine1 AddressLine2 City CollectionCategoryName Country EmailAddress EmergencyName
	EmergencyPhone EmergencyPhoneExt FirstName Gender HomePhone HomePhoneExt LastName MaritalStatus MedicalRecordNumber
	MiddleName MobilePhone MobilePhoneExt Prefix ReferralSource State Suffix WorkPhone WorkPhoneExt ZipCode`)

func (h *handler) createPatient() (result, error) {
	in, ok := h.in.object("Patient")
	if !ok {
		return nullReference, nil
	}
	practice, _ := in.object("Practice")
	clinics := h.clinics(practice.text("PracticeName"), practice.text("PracticeID"))
	switch {
	case len(clinics) != 1:
		return businessError("User is not authorized for Practice."), nil
	case in.text("FirstName") == "" || in.text("LastName") == "":
		return businessError("First name and last name are required."), nil
	}
	c := clinics[0]
	if h.dryRun {
		return c.modifyResult(c.patients), nil
	}
	n := c.register()
	p := c.patient(n)
	p.Phone, p.Email, p.BirthDate = "", "", time.Time{}
	c.editedPatients[n] = p
	for _, name := range writableColumns {
		if !in.has(name) {
			in[name] = nilValue{} // created patients have no generated data
		}
	}
	c.writePatient(n, in)
	c.personHistory[n] = c.personHistory[n][:1] // intermediate versions were never visible
	return c.modifyResult(n), nil
}

func (h *handler) updatePatient() (result, error) {
	in, ok := h.in.object("Patient")
	if !ok {
		return nullReference, nil
	}
	c, n, ok := h.findPatient(message{"PatientID": in.text("PatientID"), "ExternalID": in.text("PatientExternalID"), "ExternalVendorID": in.text("ExternalVendorID")})
	if !ok {
		return businessError("Unable to find patient."), nil
	}
	practice, _ := in.object("Practice")
	if !slices.Contains(h.clinics(practice.text("PracticeName"), practice.text("PracticeID")), c) {
		return businessError("User is not authorized for Practice."), nil
	}
	if h.dryRun {
		return c.modifyResult(n), nil
	}
	if h.faults.Updates == "clobber" {
		for _, name := range writableColumns {
			if !in.has(name) && name != "FirstName" && name != "LastName" {
				in[name] = nilValue{}
			}
		}
	}
	c.writePatient(n, in)
	return c.modifyResult(n), nil
}

// writePatient sets the members that are present on the n-th patient; nil clears a member. The
// caller holds the server's lock.
func (c *Clinic) writePatient(n int, in message) {
	p := c.patient(n)
	own := map[string]*string{"FirstName": &p.FirstName, "LastName": &p.LastName, "HomePhone": &p.Phone, "EmailAddress": &p.Email}
	columns := maps.Clone(c.patientColumns[n])
	if columns == nil {
		columns = map[string]string{}
	}
	for _, name := range writableColumns {
		if to := own[name]; to != nil && in.has(name) {
			*to = in.text(name)
		} else if in.has(name) {
			columns[name] = in.text(name)
		}
	}
	if alert, ok := in.object("Alert"); ok {
		columns["AlertMessage"] = alert.text("Message")
	}
	if born, ok := typedTime(in.text("DateofBirth"), time.UTC); ok {
		p.BirthDate = time.Date(born.Year(), born.Month(), born.Day(), 0, 0, 0, 0, time.UTC)
	}
	c.storePatient(n, p)
	c.patientColumns[n] = columns
	if vendor, err := strconv.Atoi(in.text("ExternalVendorID")); err == nil && in.text("PatientExternalID") != "" {
		c.setExternalID(n, vendor, in.text("PatientExternalID"))
	}
}

// maxExternalIDLength is where the vendor silently cuts external identifiers.
const maxExternalIDLength = 25

func (c *Clinic) setExternalID(n, vendor int, id string) {
	c.externalIDs[externalID{vendor, id[:min(len(id), maxExternalIDLength)]}] = n
}

// modifyResult is the result of a patient write: identifiers, but no patient data.
func (c *Clinic) modifyResult(n int) result {
	return result{members: record{
		"Cases": []record{{"CaseID": c.caseID(n)}}, "PatientID": strconv.Itoa(c.patientIDBase() + n + 1),
		"PracticeID": c.practiceID(), "PracticeName": c.practice.Name,
	}}
}

// updatePatientsExternalID returns no items, even on success.
func (h *handler) updatePatientsExternalID() (result, error) {
	updates, ok := h.in.object("Updates")
	if !ok {
		return nullReference, nil
	}
	for _, item := range updates.list("UpdateBatch") {
		u, _ := item.(message)
		c, n, ok := h.findPatient(message{"PatientID": u.text("patientID")})
		if !ok || !equalsFilter(u.text("practiceID"), c.practiceID()) {
			return businessError("Unable to find patient."), nil
		}
		if vendor, err := strconv.Atoi(u.text("externalVendorID")); err == nil && u.text("externalID") != "" && !h.dryRun {
			c.setExternalID(n, vendor, u.text("externalID"))
		}
	}
	return result{members: record{"ItemsUpdated": []record{}}}, nil
}
