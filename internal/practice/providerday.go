package practice

import (
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// ProviderDay is one provider's visits of a day at one practice. Its rows are those of the day's
// board, and name this provider even if the visit occupies another one too.
type ProviderDay struct {
	Practice string     `json:"practice"`
	Provider string     `json:"provider"`      // the vendor's id
	Name     string     `json:"name,omitzero"` // empty if neither the practice nor a visit has it
	Date     civil.Date `json:"date"`
	Rows     []BoardRow `json:"rows"`
	// Incomplete is that of the day's board: a row that is not shown may be this provider's.
	Incomplete []Omission `json:"incomplete,omitempty"`
}

// buildProviderDay builds a provider's day from the visits that occupy the provider.
func buildProviderDay(practice, provider string, d civil.Date, visits []Appointment, patients map[phi.Text]Patient, info Info) ProviderDay {
	v := ProviderDay{
		Practice: practice, Provider: provider, Date: d, Name: info.provider(Resource{ID: provider}),
		Rows: buildBoard(practice, d, visits, patients, info).Rows,
	}
	names := make(map[phi.Text]string, len(visits))
	for _, a := range visits {
		for _, r := range a.Resources {
			if r.ID == provider && !r.Room {
				names[a.key()] = info.provider(r)
			}
		}
	}
	for i := range v.Rows {
		v.Rows[i].Provider = names[v.Rows[i].Key()]
		if v.Name == "" {
			v.Name = v.Rows[i].Provider
		}
	}
	return v
}
