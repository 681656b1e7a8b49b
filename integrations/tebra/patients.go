package tebra

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// PatientsService reads and writes patients.
type PatientsService struct{ client *Client }

// Patient is a patient of a practice. It contains what a schedule and a patient card show. Other
// data (social security number, balances, billing notes) is never decoded.
type Patient struct {
	ID                  phi.Text
	PracticeID          string
	PracticeName        string
	Prefix              phi.Text
	FirstName           phi.Text
	MiddleName          phi.Text
	LastName            phi.Text
	Suffix              phi.Text
	FullName            phi.Text
	BirthDate           phi.Text // 2006-01-02
	Gender              phi.Text
	MedicalRecordNumber phi.Text
	HomePhone           phi.Text
	WorkPhone           phi.Text
	MobilePhone         phi.Text
	Email               phi.Text
	Address1            phi.Text
	Address2            phi.Text
	City                phi.Text
	State               phi.Text
	ZipCode             phi.Text
	Country             phi.Text
	Alert               phi.Text
	EmergencyName       phi.Text
	EmergencyPhone      phi.Text
	ProviderID          phi.Text // the default rendering provider
	ProviderName        phi.Text
	InsuranceCompany    phi.Text // of the primary policy
	InsurancePlan       phi.Text
	InsuranceNumber     phi.Text
	InsuranceCopay      phi.Text
	Cases               []Case
	Created             time.Time // local time of the vendor, unknown zone, returned as UTC
	LastModified        time.Time // likewise
	Unread              []string  // the vendor's names of the columns that could not be read
}

// Case is a reason for treating a patient, with its own payers.
type Case struct {
	ID            phi.Text
	Name          phi.Text
	PayerScenario phi.Text
	Primary       bool
}

// Get returns a patient by the Tebra identifier (GetPatient). The error is NotFound if the vendor
// returns no patient, which sometimes happens for patients in its own lists, and Merged if it
// returns another one.
func (s *PatientsService) Get(ctx context.Context, id string) (*Patient, error) {
	if !isIdentifier(id, 32) {
		return nil, invalidRequest(&opGetPatient, "id")
	}
	return s.get(ctx, id, member{"PatientID", id})
}

// GetByExternalID returns a patient by an identifier that an integrator assigned (GetPatient).
// vendorID is the integrator's number in Tebra. The error is NotFound if the vendor returns no
// patient.
func (s *PatientsService) GetByExternalID(ctx context.Context, vendorID string, id phi.Text) (*Patient, error) {
	if id == "" || !isIdentifier(vendorID, 32) {
		return nil, invalidRequest(&opGetPatient, "id")
	}
	return s.get(ctx, "", member{"ExternalID", id.Reveal()}, member{"ExternalVendorID", vendorID})
}

// get makes the call. The response must have the identifier wantID, unless it is "".
func (s *PatientsService) get(ctx context.Context, wantID string, filter ...member) (*Patient, error) {
	one := single[Patient]{
		op: &opGetPatient, columns: patientColumns,
		write:      func(w *writer) { w.group("Filter", filter...) },
		hasID:      func(p *Patient) bool { return p.ID != "" },
		hasContent: (*Patient).hasName,
		validate: func(p *Patient) (Code, string) {
			switch {
			case p.ID == "":
				return NotFound, ""
			case wantID != "" && p.ID.Reveal() != wantID:
				// Another patient's record would be stored under this identifier.
				return Merged, ""
			}
			return "", ""
		},
	}
	return one.read(ctx, s.client)
}

var patientColumns = newRecord(func(p *Patient) *[]string { return &p.Unread },
	map[string]func(*Patient, *cell){
		"ID":                                func(p *Patient, c *cell) { p.ID = c.ownID() },
		"Prefix":                            func(p *Patient, c *cell) { p.Prefix = c.text() },
		"FirstName":                         func(p *Patient, c *cell) { p.FirstName = c.text() },
		"MiddleName":                        func(p *Patient, c *cell) { p.MiddleName = c.text() },
		"LastName":                          func(p *Patient, c *cell) { p.LastName = c.text() },
		"Suffix":                            func(p *Patient, c *cell) { p.Suffix = c.text() },
		"PatientFullName":                   func(p *Patient, c *cell) { p.FullName = c.text() },
		"Gender":                            func(p *Patient, c *cell) { p.Gender = c.text() },
		"MedicalRecordNumber":               func(p *Patient, c *cell) { p.MedicalRecordNumber = c.text() },
		"HomePhone":                         func(p *Patient, c *cell) { p.HomePhone = c.text() },
		"WorkPhone":                         func(p *Patient, c *cell) { p.WorkPhone = c.text() },
		"MobilePhone":                       func(p *Patient, c *cell) { p.MobilePhone = c.text() },
		"EmailAddress":                      func(p *Patient, c *cell) { p.Email = c.text() },
		"AddressLine1":                      func(p *Patient, c *cell) { p.Address1 = c.text() },
		"AddressLine2":                      func(p *Patient, c *cell) { p.Address2 = c.text() },
		"City":                              func(p *Patient, c *cell) { p.City = c.text() },
		"State":                             func(p *Patient, c *cell) { p.State = c.text() },
		"ZipCode":                           func(p *Patient, c *cell) { p.ZipCode = c.text() },
		"Country":                           func(p *Patient, c *cell) { p.Country = c.text() },
		"AlertMessage":                      func(p *Patient, c *cell) { p.Alert = c.text() },
		"EmergencyName":                     func(p *Patient, c *cell) { p.EmergencyName = c.text() },
		"EmergencyPhone":                    func(p *Patient, c *cell) { p.EmergencyPhone = c.text() },
		"DefaultRenderingProviderId":        func(p *Patient, c *cell) { p.ProviderID = c.foreignID() },
		"DefaultRenderingProviderFullName":  func(p *Patient, c *cell) { p.ProviderName = c.text() },
		"PrimaryInsurancePolicyCompanyName": func(p *Patient, c *cell) { p.InsuranceCompany = c.text() },
		"PrimaryInsurancePolicyPlanName":    func(p *Patient, c *cell) { p.InsurancePlan = c.text() },
		"PrimaryInsurancePolicyNumber":      func(p *Patient, c *cell) { p.InsuranceNumber = c.text() },
		"PrimaryInsurancePolicyCopay":       func(p *Patient, c *cell) { p.InsuranceCopay = c.text() },
		"PracticeId":                        func(p *Patient, c *cell) { p.PracticeID = c.foreignID().Reveal() },
		"PracticeName":                      func(p *Patient, c *cell) { p.PracticeName = c.practiceName() },
		"DOB":                               func(p *Patient, c *cell) { p.BirthDate = c.date() },
		"CreatedDate":                       func(p *Patient, c *cell) { p.Created = c.time() },
		"LastModifiedDate":                  func(p *Patient, c *cell) { p.LastModified = c.time() },
	},
	map[string]func(*reader, *Patient, *cell) error{
		"Cases": func(r *reader, p *Patient, c *cell) error {
			return nestedRows(r, c, "PatientCaseData", caseColumns, func(c *Case) bool { return c.ID != "" }, &p.Cases)
		},
	})

// caseColumns omits a case's policies and dates.
var caseColumns = newRecord(nil, map[string]func(*Case, *cell){
	"PatientCaseID": func(to *Case, c *cell) { to.ID = c.ownID() },
	"Name":          func(to *Case, c *cell) { to.Name = c.text() },
	"PayerScenario": func(to *Case, c *cell) { to.PayerScenario = c.text() },
	"IsPrimaryCase": func(to *Case, c *cell) { to.Primary = c.boolean() },
}, nil)
