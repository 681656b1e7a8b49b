package tebratest

import (
	"time"
)

// past is a visit as it was until it changed, at a moment of real time.
type visitVersion struct {
	visit Visit
	until time.Time
}

// lastOf bounds how many versions of one record are remembered.
func recentVersions[T any](versions []T) []T {
	const kept = 8
	if len(versions) < kept {
		return versions
	}
	return versions[len(versions)-kept+1:]
}

// asOf returns the visit as it was at a moment of real time, and an empty one when there was none yet.
func (c *Clinic) asOf(v *Visit, at time.Time) *Visit {
	for _, p := range c.visitHistory[v.ID] {
		if at.Before(p.until) {
			was := p.visit
			return &was
		}
	}
	return v
}

// pastPerson is a patient as it was until it changed, at a moment of real time.
type personVersion struct {
	person  Person
	columns map[string]string
	until   time.Time
}
