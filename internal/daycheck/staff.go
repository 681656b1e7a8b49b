package daycheck

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// StatusChange is one edit by a practice's staff.
type StatusChange struct {
	Practice app.DemoPractice
	Visit    string // the vendor's id
	Status   string
	At       time.Time
}

// Staff plays the practices' staff at the vendor: it periodically gives one of today's visits its
// next status and calls did with the change. It never edits the spared visits, and returns when ctx
// ends.
func Staff(ctx context.Context, d *app.Demo, every time.Duration, spared []string, did func(StatusChange)) {
	rng := rand.New(rand.NewPCG(7, 7))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		p := d.Practices[rng.IntN(len(d.Practices))]
		if c, err := advance(d.Clock.Now(), p, spared, rng); err == nil {
			did(c)
		}
	}
}

// course maps a visit's status to the next one.
var course = map[string]string{
	"Scheduled": "Confirmed", "Confirmed": "Check-in", "Check-in": "Check-out", "No-show": "Scheduled", "Check-out": "Confirmed",
}

var errNoVisit = errors.New("no visit of today has a next status")

// advance gives one visit of today its next status.
func advance(now time.Time, p app.DemoPractice, spared []string, rng *rand.Rand) (StatusChange, error) {
	visits := slices.DeleteFunc(p.Clinic.Appointments(now.In(p.Clinic.Location())), func(v tebratest.Visit) bool {
		return course[v.Status] == "" || slices.Contains(spared, v.ID)
	})
	if len(visits) == 0 {
		return StatusChange{}, errNoVisit
	}
	v := visits[rng.IntN(len(visits))]
	c := StatusChange{Practice: p, Visit: v.ID, Status: course[v.Status], At: time.Now()}
	return c, p.Clinic.SetStatus(v.ID, c.Status)
}

// Tenants returns the tenants of a demo, each once.
func Tenants(d *app.Demo) []tenant.ID {
	var out []tenant.ID
	for _, p := range d.Practices {
		if !slices.Contains(out, p.Tenant) {
			out = append(out, p.Tenant)
		}
	}
	return out
}
