package tebra

import (
	"context"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// DirectoryService reads who works where.
type DirectoryService struct{ client *Client }

// ProvidersRequest says which providers.
type ProvidersRequest struct {
	PracticeName string // required
}

// Provider is one person who treats or refers patients.
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
	Created      time.Time // the vendor's wall clock, whose zone it does not name, as if it were UTC
	LastModified time.Time // likewise
}

// Providers returns the providers of a practice, and whether there may be more than the vendor hands out (GetProviders:
// providers by filter). The vendor does not promise an order.
func (s *DirectoryService) Providers(ctx context.Context, req ProvidersRequest) (providers []Provider, partial bool, err error) {
	op := &opGetProviders
	if strings.TrimSpace(req.PracticeName) == "" {
		return nil, false, invalidRequest(op, "practice")
	}
	l := listing[Provider]{
		op: op, item: "ProviderData", decode: providerColumns.row,
		hasID:      func(p *Provider) bool { return p.ID != "" },
		hasContent: func(p *Provider) bool { return p.FullName != "" || p.LastName != "" },
		write:      func(w *writer) { w.filter(member{"PracticeName", req.PracticeName}) },
	}
	return l.all(ctx, s.client)
}

var providerColumns = record[Provider]{cells: map[string]func(*Provider, *cell){
	"ID":                         func(p *Provider, c *cell) { p.ID = c.ownID() },
	"PracticeID":                 func(p *Provider, c *cell) { p.PracticeID = c.foreignID().Reveal() },
	"PracticeName":               func(p *Provider, c *cell) { p.PracticeName = c.value },
	"FullName":                   func(p *Provider, c *cell) { p.FullName = c.text() },
	"FirstName":                  func(p *Provider, c *cell) { p.FirstName = c.text() },
	"LastName":                   func(p *Provider, c *cell) { p.LastName = c.text() },
	"Degree":                     func(p *Provider, c *cell) { p.Degree = c.value },
	"SpecialtyName":              func(p *Provider, c *cell) { p.Specialty = c.value },
	"Type":                       func(p *Provider, c *cell) { p.Type = c.value },
	"Active":                     func(p *Provider, c *cell) { p.Active = c.looseBool() },
	"NationalProviderIdentifier": func(p *Provider, c *cell) { p.NPI = c.text() },
	"WorkPhone":                  func(p *Provider, c *cell) { p.WorkPhone = c.text() },
	"EmailAddress":               func(p *Provider, c *cell) { p.Email = c.text() },
	"CreatedDate":                func(p *Provider, c *cell) { p.Created = c.time() },
	"LastModifiedDate":           func(p *Provider, c *cell) { p.LastModified = c.time() },
}}
