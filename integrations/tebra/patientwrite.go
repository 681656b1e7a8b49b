package tebra

import (
	"context"
	"encoding/xml"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// PatientFields are the members of a patient's record that this client writes; payers, employers
// and guarantors are not among them. The zero PatientFields change nothing.
type PatientFields struct {
	Address1, Address2, City, State, ZipCode, Country    Change
	BirthDate                                            Change // 2006-01-02
	Prefix, FirstName, MiddleName, LastName, Suffix      Change
	Gender                                               Change // "Female", "Male" or "Unknown"
	HomePhone, HomePhoneExt                              Change
	MobilePhone                                          Change // at most 10 digits
	WorkPhone, WorkPhoneExt                              Change
	Email                                                Change
	EmergencyName, EmergencyPhone                        Change
	MaritalStatus, MedicalRecordNumber, Note, AlertShown Change
}

// Create adds a patient to a practice and returns the new identifier (CreatePatient). FirstName and
// LastName are required. Create is not idempotent: after an error with Error.Sent, search for the
// patient before creating it again.
func (s *PatientsService) Create(ctx context.Context, practiceID string, fields PatientFields) (phi.Text, error) {
	op := &opCreatePatient
	if fields.FirstName.value == "" || fields.LastName.value == "" {
		return "", invalidRequest(op, "name")
	}
	return s.modify(ctx, op, "", practiceID, &fields)
}

// Update changes the members of a patient's record that fields name (UpdatePatient). Integrators
// report that it sometimes returns a fault. It is not documented whether the vendor leaves members
// unchanged that are not sent, nor whether it distinguishes them from nil members, which .NET's own
// serializer does not. Read the record afterwards.
func (s *PatientsService) Update(ctx context.Context, id, practiceID string, fields PatientFields) error {
	op := &opUpdatePatient
	if !isIdentifier(id, 32) {
		return invalidRequest(op, "id")
	}
	_, err := s.modify(ctx, op, id, practiceID, &fields)
	return err
}

func (s *PatientsService) modify(ctx context.Context, op *Operation, id, practiceID string, fields *PatientFields) (phi.Text, error) {
	if !isIdentifier(practiceID, 32) {
		return "", invalidRequest(op, "practice")
	}
	if reason := fields.check(); reason != "" {
		return "", invalidRequest(op, reason)
	}
	echoedID := ""
	err := s.client.call(ctx, op, func(w *writer) { w.element("Patient", func() { fields.write(w, id, practiceID) }) },
		func(r *reader, el xml.Name) (err error) {
			if el.Local == op.payload {
				echoedID, err = r.word()
				echoedID = strings.TrimSpace(echoedID)
				r.record()
			}
			return err
		},
		func() (Code, string) {
			if !isIdentifier(echoedID, 64) || id != "" && echoedID != id {
				return Malformed, "id"
			}
			return "", ""
		})
	if err != nil {
		return "", err
	}
	return phi.Text(echoedID), nil
}

func (f *PatientFields) check() (reason string) {
	digits := 0
	for _, r := range f.MobilePhone.value.Reveal() {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	switch gender := f.Gender.value; {
	case digits > 10:
		return "phone"
	case gender != "" && gender != "Female" && gender != "Male" && gender != "Unknown":
		return "gender"
	case f.BirthDate.value != "":
		if _, ok := typedDate(f.BirthDate.value.Reveal()); !ok {
			return "date"
		}
	}
	return ""
}

func (f *PatientFields) write(w *writer, id, practiceID string) {
	f.Address1.write(w, "AddressLine1")
	f.Address2.write(w, "AddressLine2")
	if f.AlertShown != (Change{}) {
		w.element("Alert", func() { f.AlertShown.write(w, "Message") })
	}
	f.City.write(w, "City")
	f.Country.write(w, "Country")
	if born, ok := typedDate(f.BirthDate.value.Reveal()); ok {
		w.text("DateofBirth", born)
	} else {
		f.BirthDate.write(w, "DateofBirth")
	}
	f.Email.write(w, "EmailAddress")
	f.EmergencyName.write(w, "EmergencyName")
	f.EmergencyPhone.write(w, "EmergencyPhone")
	f.FirstName.write(w, "FirstName")
	f.Gender.write(w, "Gender")
	f.HomePhone.write(w, "HomePhone")
	f.HomePhoneExt.write(w, "HomePhoneExt")
	f.LastName.write(w, "LastName")
	f.MaritalStatus.write(w, "MaritalStatus")
	f.MedicalRecordNumber.write(w, "MedicalRecordNumber")
	f.MiddleName.write(w, "MiddleName")
	f.MobilePhone.write(w, "MobilePhone")
	f.Note.write(w, "Note")
	w.optional("PatientID", id)
	w.group("Practice", member{"PracticeID", practiceID})
	f.Prefix.write(w, "Prefix")
	f.State.write(w, "State")
	f.Suffix.write(w, "Suffix")
	f.WorkPhone.write(w, "WorkPhone")
	f.WorkPhoneExt.write(w, "WorkPhoneExt")
	f.ZipCode.write(w, "ZipCode")
}

// ExternalID is an identifier that an integrator assigns to a patient.
type ExternalID struct {
	PatientID  phi.Text // the Tebra identifier
	PracticeID string
	VendorID   string   // the integrator's number in Tebra
	ID         phi.Text // at most 25 characters; the vendor silently cuts longer ones
}

// maxBatch limits what one call changes. The vendor states no limit.
const maxBatch = 200

// SetExternalIDs assigns external identifiers to at most 200 patients (UpdatePatientsExternalID).
// The vendor does not report which of them it stored; check with GetByExternalID.
func (s *PatientsService) SetExternalIDs(ctx context.Context, batch []ExternalID) error {
	op := &opUpdatePatientsExternalID
	if len(batch) == 0 || len(batch) > maxBatch {
		return invalidRequest(op, "size")
	}
	for _, e := range batch {
		switch {
		case !isIdentifier(e.PatientID.Reveal(), 32), !isIdentifier(e.PracticeID, 32), !isIdentifier(e.VendorID, 32):
			return invalidRequest(op, "id")
		case e.ID == "", utf8.RuneCountInString(e.ID.Reveal()) > 25:
			return invalidRequest(op, "length")
		}
	}
	return s.client.call(ctx, op, func(w *writer) {
		w.element("Updates", func() {
			w.element("UpdateBatch", func() {
				for _, e := range batch {
					w.group("PatientExternalIDSetting", member{"externalID", e.ID.Reveal()}, member{"externalVendorID", e.VendorID},
						member{"patientID", e.PatientID.Reveal()}, member{"practiceID", e.PracticeID})
				}
			})
		})
	}, func(*reader, xml.Name) error { return nil }, nil)
}
