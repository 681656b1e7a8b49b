package practice

import (
	"slices"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// ProviderDay is one provider's visits of a day at one practice. Its rows are those of the day's board.
type ProviderDay struct {
	Practice string     `json:"practice"`
	Provider string     `json:"provider"` // the vendor's id
	Name     string     `json:"name,omitzero"`
	Date     Date       `json:"date"`
	Rows     []BoardRow `json:"rows"`
}

// BuildProviderDay puts a provider's day together. It leaves out the visits that do not take the provider; else it does
// as BuildBoard does. Name is empty when neither the directory nor a visit says it.
func BuildProviderDay(practice, provider string, d Date, visits []Appointment, patients map[phi.Text]Patient, dir *Directory) ProviderDay {
	own := slices.DeleteFunc(slices.Clone(visits), func(a Appointment) bool { return !a.takes(provider) })
	v := ProviderDay{
		Practice: practice, Provider: provider, Date: d, Rows: BuildBoard(practice, d, own, patients, dir).Rows,
		Name: dir.name(Resource{ID: provider}),
	}
	for i, row := range v.Rows {
		for _, a := range own {
			if a.ID == row.Appointment {
				v.Rows[i].Provider = dir.name(a.resource(provider))
			}
		}
		if v.Name == "" {
			v.Name = v.Rows[i].Provider
		}
	}
	return v
}

// takes reports whether the visit needs the provider.
func (a Appointment) takes(provider string) bool {
	return slices.ContainsFunc(a.Resources, func(r Resource) bool { return r.ID == provider })
}

// resource is the visit's resource of that id; the zero one when there is none.
func (a Appointment) resource(id string) Resource {
	for _, r := range a.Resources {
		if r.ID == id {
			return r
		}
	}
	return Resource{}
}
