package tebra

import (
	"context"
	"encoding/xml"
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

// Providers returns the providers of a practice (GetProviders: providers by filter). The vendor does not promise an order.
func (s *DirectoryService) Providers(ctx context.Context, req ProvidersRequest) ([]Provider, error) {
	op := &opGetProviders
	if strings.TrimSpace(req.PracticeName) == "" {
		return nil, refuse(op, "practice")
	}
	var all []Provider
	err := s.client.call(ctx, op,
		func(w *writer) { w.list(member{"PracticeName", req.PracticeName}) },
		func(r *reader, el xml.StartElement) error {
			if el.Name.Local != op.payload {
				return nil
			}
			return r.list("ProviderData", func() error {
				p, err := r.provider()
				if err == nil && p.ID != "" {
					all = append(all, p)
				}
				return err
			})
		})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (r *reader) provider() (Provider, error) {
	var p Provider
	d := rowDates{loc: time.UTC}
	err := r.fields(func(name, value string) { p.set(name, value, &d) })
	if err == nil {
		err = d.err
	}
	return p, err
}

func (p *Provider) set(name, value string, d *rowDates) {
	switch name {
	case "ID":
		p.ID = phi.Text(value)
	case "PracticeID":
		p.PracticeID = value
	case "PracticeName":
		p.PracticeName = value
	case "FullName":
		p.FullName = phi.Text(value)
	case "FirstName":
		p.FirstName = phi.Text(value)
	case "LastName":
		p.LastName = phi.Text(value)
	case "Degree":
		p.Degree = value
	case "SpecialtyName":
		p.Specialty = value
	case "Type":
		p.Type = value
	case "Active":
		p.Active = truth(value)
	case "NationalProviderIdentifier":
		p.NPI = phi.Text(value)
	case "WorkPhone":
		p.WorkPhone = phi.Text(value)
	case "EmailAddress":
		p.Email = phi.Text(value)
	case "CreatedDate":
		p.Created = d.time(value)
	case "LastModifiedDate":
		p.LastModified = d.time(value)
	}
}
