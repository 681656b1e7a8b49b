package tebratest

import (
	"time"
)

// visitVersion is an earlier version of a visit, valid until a point in real time.
type visitVersion struct {
	visit Visit
	until time.Time
}

// recentVersions limits the number of versions per record and leaves room for another one.
func recentVersions[T any](versions []T) []T {
	const kept = 8
	if len(versions) < kept {
		return versions
	}
	return versions[len(versions)-kept+1:]
}

// asOf returns the visit as it was at a point in real time, or an empty one if it did not exist
// yet.
func (c *Clinic) asOf(v *Visit, at time.Time) *Visit {
	for _, p := range c.visitHistory[v.ID] {
		if at.Before(p.until) {
			was := p.visit
			return &was
		}
	}
	return v
}

// personVersion is an earlier version of a patient, valid until a point in real time.
type personVersion struct {
	person  Person
	columns map[string]string
	until   time.Time
}
