package tebra

import (
	"context"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// DirectoryService reads practices, providers, service locations and procedure codes.
type DirectoryService struct{ client *Client }

// List is one list. The order of its rows is unspecified.
type List[T any] struct {
	Rows []T
	// Partial reports that the list reached the vendor's limit of 10,000 rows.
	Partial bool
	// SetAside lists the rows that could not be read.
	SetAside []SetAside
}

// ProvidersRequest selects providers.
type ProvidersRequest struct {
	PracticeName string // required
}

// Provider is a person who treats or refers patients.
type Provider struct {
	ID           phi.Text
	PracticeID   string
	PracticeName string
	FullName     phi.Text
	FirstName    phi.Text
	LastName     phi.Text
	Degree       string
	Specialty    string
	Type         string // "Normal Provider" or "Referring Provider"
	Active       bool
	NPI          phi.Text
	WorkPhone    phi.Text
	Email        phi.Text
	Created      time.Time // local time of the vendor, unknown zone, returned as UTC
	LastModified time.Time // likewise
	Unread       []string  // the vendor's names of the columns that could not be read
}

// Providers returns the providers of a practice (GetProviders).
func (s *DirectoryService) Providers(ctx context.Context, req ProvidersRequest) (List[Provider], error) {
	op := &opGetProviders
	if strings.TrimSpace(req.PracticeName) == "" {
		return List[Provider]{}, invalidRequest(op, "practice")
	}
	l := listing[Provider, Provider]{
		op: op, item: "ProviderData", columns: providerColumns, finish: itself[Provider],
		hasID:      func(p *Provider) bool { return p.ID != "" },
		hasContent: func(p *Provider) bool { return p.FullName != "" || p.LastName != "" },
		write:      func(w *writer) { w.filter(member{"PracticeName", req.PracticeName}) },
	}
	return l.list(ctx, s.client)
}

var providerColumns = newRecord(func(p *Provider) *[]string { return &p.Unread }, map[string]func(*Provider, *cell){
	"ID":                         func(p *Provider, c *cell) { p.ID = c.ownID() },
	"PracticeID":                 func(p *Provider, c *cell) { p.PracticeID = c.foreignID().Reveal() },
	"PracticeName":               func(p *Provider, c *cell) { p.PracticeName = c.practiceName() },
	"FullName":                   func(p *Provider, c *cell) { p.FullName = c.text() },
	"FirstName":                  func(p *Provider, c *cell) { p.FirstName = c.text() },
	"LastName":                   func(p *Provider, c *cell) { p.LastName = c.text() },
	"Degree":                     func(p *Provider, c *cell) { p.Degree = c.name() },
	"SpecialtyName":              func(p *Provider, c *cell) { p.Specialty = c.name() },
	"Type":                       func(p *Provider, c *cell) { p.Type = c.name() },
	"Active":                     func(p *Provider, c *cell) { p.Active = c.boolean() },
	"NationalProviderIdentifier": func(p *Provider, c *cell) { p.NPI = c.text() },
	"WorkPhone":                  func(p *Provider, c *cell) { p.WorkPhone = c.text() },
	"EmailAddress":               func(p *Provider, c *cell) { p.Email = c.text() },
	"CreatedDate":                func(p *Provider, c *cell) { p.Created = c.time() },
	"LastModifiedDate":           func(p *Provider, c *cell) { p.LastModified = c.time() },
}, nil)

// Practice is a practice of the account.
type Practice struct {
	ID           string
	Name         string
	Active       bool
	NPI          string
	Email        phi.Text
	Phone        phi.Text
	Fax          phi.Text
	Address1     string
	Address2     string
	City         string
	State        string
	ZipCode      string
	Created      time.Time // local time of the vendor, unknown zone, returned as UTC
	LastModified time.Time // likewise
	Unread       []string  // the vendor's names of the columns that could not be read
}

// PracticesRequest selects practices. The zero value selects all that the user may access.
type PracticesRequest struct {
	ID   string
	Name string
}

// Practices is a list of practices. The order of its rows is unspecified.
type Practices struct {
	Rows []Practice
	// Partial reports that the list reached the vendor's row limit.
	Partial bool
	// SetAside lists the rows that could not be read.
	SetAside []SetAside
	// Authorized is that of Appointments. A practice that is listed is not necessarily among them.
	Authorized []string
}

// Practices returns the practices of the account that req selects (GetPractices).
func (s *DirectoryService) Practices(ctx context.Context, req PracticesRequest) (Practices, error) {
	l := listing[Practice, Practice]{
		op: &opGetPractices, item: "PracticeData", columns: practiceColumns, finish: itself[Practice],
		hasID:      func(p *Practice) bool { return p.ID != "" },
		hasContent: func(p *Practice) bool { return p.Name != "" },
		write: func(w *writer) {
			w.filter(member{"ID", req.ID}, member{"PracticeName", req.Name})
		},
	}
	all, err := l.all(ctx, s.client)
	return Practices{Rows: all.rows, Partial: all.partial, SetAside: all.setAside, Authorized: all.authorized}, err
}

var practiceColumns = newRecord(func(p *Practice) *[]string { return &p.Unread }, map[string]func(*Practice, *cell){
	"ID":                   func(p *Practice, c *cell) { p.ID = c.ownID().Reveal() },
	"PracticeName":         func(p *Practice, c *cell) { p.Name = c.practiceName() },
	"Active":               func(p *Practice, c *cell) { p.Active = c.boolean() },
	"NPI":                  func(p *Practice, c *cell) { p.NPI = c.name() },
	"Email":                func(p *Practice, c *cell) { p.Email = c.text() },
	"Phone":                func(p *Practice, c *cell) { p.Phone = c.text() },
	"Fax":                  func(p *Practice, c *cell) { p.Fax = c.text() },
	"PracticeAddressLine1": func(p *Practice, c *cell) { p.Address1 = c.name() },
	"PracticeAddressLine2": func(p *Practice, c *cell) { p.Address2 = c.name() },
	"PracticeCity":         func(p *Practice, c *cell) { p.City = c.name() },
	"PracticeState":        func(p *Practice, c *cell) { p.State = c.name() },
	"PracticeZipCode":      func(p *Practice, c *cell) { p.ZipCode = c.name() },
	"CreatedDate":          func(p *Practice, c *cell) { p.Created = c.time() },
	"LastModifiedDate":     func(p *Practice, c *cell) { p.LastModified = c.time() },
}, nil)

// ServiceLocation is a location where a practice sees patients.
type ServiceLocation struct {
	ID             string
	Name           string
	BillingName    string
	PracticeID     string
	PracticeName   string
	PlaceOfService string
	NPI            string
	Phone          phi.Text
	Fax            phi.Text
	Address1       string
	Address2       string
	City           string
	State          string
	ZipCode        string
	Created        time.Time // local time of the vendor, unknown zone, returned as UTC
	LastModified   time.Time // likewise; the vendor's name here is ModifiedDate
	Unread         []string  // the vendor's names of the columns that could not be read
}

// ServiceLocationsRequest selects service locations.
type ServiceLocationsRequest struct {
	PracticeName string // required
	ID           string
}

// ServiceLocations returns the locations of a practice (GetServiceLocations).
func (s *DirectoryService) ServiceLocations(ctx context.Context, req ServiceLocationsRequest) (List[ServiceLocation], error) {
	op := &opGetServiceLocations
	if strings.TrimSpace(req.PracticeName) == "" {
		return List[ServiceLocation]{}, invalidRequest(op, "practice")
	}
	l := listing[ServiceLocation, ServiceLocation]{
		op: op, item: "ServiceLocationData", columns: serviceLocationColumns, finish: itself[ServiceLocation],
		hasID:      func(l *ServiceLocation) bool { return l.ID != "" },
		hasContent: func(l *ServiceLocation) bool { return l.Name != "" },
		write: func(w *writer) {
			w.filter(member{"ID", req.ID}, member{"PracticeName", req.PracticeName})
		},
	}
	return l.list(ctx, s.client)
}

var serviceLocationColumns = newRecord(func(l *ServiceLocation) *[]string { return &l.Unread }, map[string]func(*ServiceLocation, *cell){
	"ID":             func(l *ServiceLocation, c *cell) { l.ID = c.ownID().Reveal() },
	"Name":           func(l *ServiceLocation, c *cell) { l.Name = c.name() },
	"BillingName":    func(l *ServiceLocation, c *cell) { l.BillingName = c.name() },
	"PracticeID":     func(l *ServiceLocation, c *cell) { l.PracticeID = c.foreignID().Reveal() },
	"PracticeName":   func(l *ServiceLocation, c *cell) { l.PracticeName = c.practiceName() },
	"PlaceOfService": func(l *ServiceLocation, c *cell) { l.PlaceOfService = c.name() },
	"NPI":            func(l *ServiceLocation, c *cell) { l.NPI = c.name() },
	"Phone":          func(l *ServiceLocation, c *cell) { l.Phone = c.text() },
	"FaxPhone":       func(l *ServiceLocation, c *cell) { l.Fax = c.text() },
	"AddressLine1":   func(l *ServiceLocation, c *cell) { l.Address1 = c.name() },
	"AddressLine2":   func(l *ServiceLocation, c *cell) { l.Address2 = c.name() },
	"City":           func(l *ServiceLocation, c *cell) { l.City = c.name() },
	"State":          func(l *ServiceLocation, c *cell) { l.State = c.name() },
	"ZipCode":        func(l *ServiceLocation, c *cell) { l.ZipCode = c.name() },
	"CreatedDate":    func(l *ServiceLocation, c *cell) { l.Created = c.time() },
	"ModifiedDate":   func(l *ServiceLocation, c *cell) { l.LastModified = c.time() },
}, nil)

// ProcedureCode is a code that the account uses for billing.
type ProcedureCode struct {
	ID           string
	Code         string
	OfficialName string
	LocalName    string
	PracticeName string
	Category     string // ProcedureCodeCategoryID
	Active       bool
	Created      time.Time // local time of the vendor, unknown zone, returned as UTC
	LastModified time.Time // likewise; the vendor's name here is ModifiedDate
	Unread       []string  // the vendor's names of the columns that could not be read
}

// ProcedureCodesRequest selects procedure codes. The zero value selects all.
type ProcedureCodesRequest struct {
	ID         string
	Code       string
	ActiveOnly bool
}

// ProcedureCodes returns the billing codes of the account (GetProcedureCodes).
func (s *DirectoryService) ProcedureCodes(ctx context.Context, req ProcedureCodesRequest) (List[ProcedureCode], error) {
	active := ""
	if req.ActiveOnly {
		active = "true"
	}
	l := listing[ProcedureCode, ProcedureCode]{
		op: &opGetProcedureCodes, item: "ProcedureCodeData", columns: procedureCodeColumns, finish: itself[ProcedureCode],
		hasID:      func(p *ProcedureCode) bool { return p.ID != "" },
		hasContent: func(p *ProcedureCode) bool { return p.Code != "" },
		write: func(w *writer) {
			w.filter(member{"Active", active}, member{"ID", req.ID}, member{"ProcedureCode", req.Code})
		},
	}
	return l.list(ctx, s.client)
}

var procedureCodeColumns = newRecord(func(p *ProcedureCode) *[]string { return &p.Unread }, map[string]func(*ProcedureCode, *cell){
	"ID":                      func(p *ProcedureCode, c *cell) { p.ID = c.ownID().Reveal() },
	"ProcedureCode":           func(p *ProcedureCode, c *cell) { p.Code = c.name() },
	"OfficialName":            func(p *ProcedureCode, c *cell) { p.OfficialName = c.name() },
	"LocalName":               func(p *ProcedureCode, c *cell) { p.LocalName = c.name() },
	"PracticeName":            func(p *ProcedureCode, c *cell) { p.PracticeName = c.practiceName() },
	"ProcedureCodeCategoryID": func(p *ProcedureCode, c *cell) { p.Category = c.name() },
	"Active":                  func(p *ProcedureCode, c *cell) { p.Active = c.boolean() },
	"CreatedDate":             func(p *ProcedureCode, c *cell) { p.Created = c.time() },
	"ModifiedDate":            func(p *ProcedureCode, c *cell) { p.LastModified = c.time() },
}, nil)
