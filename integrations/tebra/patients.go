package tebra

import (
	"context"
	"encoding/xml"
	"net/http"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// PatientsService reads people.
type PatientsService struct{ client *Client }

// Patient is one person as the practice knows them. It holds what a schedule and a patient card show; what they do not
// (social security number, balances, notes of billing) is not read off the wire at all.
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
	Created             time.Time // the vendor's wall clock, whose zone it does not name, as if it were UTC
	LastModified        time.Time // likewise
}

// Case is one reason to treat a patient, with its own payers.
type Case struct {
	ID            phi.Text
	Name          phi.Text
	PayerScenario phi.Text
	Primary       bool
}

// Get returns one patient by the vendor's identifier (GetPatient: one patient by Tebra id). Its error is NotFound when
// the vendor answers nothing, which at times it does for patients that its own lists name.
func (s *PatientsService) Get(ctx context.Context, id string) (*Patient, error) {
	op := &opGetPatient
	if n, err := strconv.ParseInt(id, 10, 32); err != nil || n < 1 {
		return nil, refuse(op, "id")
	}
	var p Patient
	err := s.client.call(ctx, op,
		func(w *writer) { w.group("Filter", member{"PatientID", id}) },
		func(r *reader, el xml.StartElement) error {
			if el.Name.Local != op.payload {
				return nil
			}
			err := r.patient(&p)
			if err == nil && p.ID != "" && p.ID.Reveal() != id {
				return shapeError("id") // somebody else's record would be kept under this identifier
			}
			return err
		})
	if err != nil {
		return nil, err
	}
	if p.ID == "" {
		return nil, &Error{Code: NotFound, Operation: op.Name, Sent: true, Status: http.StatusOK}
	}
	return &p, nil
}

func (r *reader) patient(p *Patient) error {
	d := rowDates{loc: time.UTC}
	err := r.children(nsKareo, func(el xml.StartElement) error {
		if el.Name.Local == "Cases" {
			return r.list("PatientCaseData", func() error {
				c, err := r.patientCase()
				if err == nil && c.ID != "" {
					p.Cases = append(p.Cases, c)
				}
				return err
			})
		}
		value, err := r.text()
		if err == nil {
			p.set(el.Name.Local, value, &d)
		}
		return err
	})
	if err == nil {
		err = d.err
	}
	return err
}

func (p *Patient) set(name, value string, d *rowDates) {
	if to := p.text(name); to != nil {
		*to = phi.Text(value)
		return
	}
	switch name {
	case "PracticeId":
		p.PracticeID = value
	case "PracticeName":
		p.PracticeName = value
	case "DOB":
		p.BirthDate = phi.Text(d.date(value))
	case "CreatedDate":
		p.Created = d.time(value)
	case "LastModifiedDate":
		p.LastModified = d.time(value)
	}
}

// text returns where the column called name goes as it is; nil for the others. It is one table, so it is one long switch.
func (p *Patient) text(name string) *phi.Text {
	switch name {
	case "ID":
		return &p.ID
	case "Prefix":
		return &p.Prefix
	case "FirstName":
		return &p.FirstName
	case "MiddleName":
		return &p.MiddleName
	case "LastName":
		return &p.LastName
	case "Suffix":
		return &p.Suffix
	case "PatientFullName":
		return &p.FullName
	case "Gender":
		return &p.Gender
	case "MedicalRecordNumber":
		return &p.MedicalRecordNumber
	case "HomePhone":
		return &p.HomePhone
	case "WorkPhone":
		return &p.WorkPhone
	case "MobilePhone":
		return &p.MobilePhone
	case "EmailAddress":
		return &p.Email
	case "AddressLine1":
		return &p.Address1
	case "AddressLine2":
		return &p.Address2
	case "City":
		return &p.City
	case "State":
		return &p.State
	case "ZipCode":
		return &p.ZipCode
	case "Country":
		return &p.Country
	case "AlertMessage":
		return &p.Alert
	case "EmergencyName":
		return &p.EmergencyName
	case "EmergencyPhone":
		return &p.EmergencyPhone
	case "DefaultRenderingProviderId":
		return &p.ProviderID
	case "DefaultRenderingProviderFullName":
		return &p.ProviderName
	case "PrimaryInsurancePolicyCompanyName":
		return &p.InsuranceCompany
	case "PrimaryInsurancePolicyPlanName":
		return &p.InsurancePlan
	case "PrimaryInsurancePolicyNumber":
		return &p.InsuranceNumber
	case "PrimaryInsurancePolicyCopay":
		return &p.InsuranceCopay
	}
	return nil
}

// patientCase reads one case and leaves its policies and dates alone.
func (r *reader) patientCase() (Case, error) {
	var c Case
	err := r.children(nsKareo, func(el xml.StartElement) (err error) {
		var to *phi.Text
		switch el.Name.Local {
		case "PatientCaseID":
			to = &c.ID
		case "Name":
			to = &c.Name
		case "PayerScenario":
			to = &c.PayerScenario
		case "IsPrimaryCase":
			c.Primary, err = r.boolean()
			return err
		default:
			return nil
		}
		value, err := r.text()
		*to = phi.Text(value)
		return err
	})
	return c, err
}
