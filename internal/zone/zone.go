// Package zone loads time zones by name, and knows the zones of the places where practices are.
package zone

import (
	"errors"
	"sync"
	"time"
)

// ErrUnknown means that a name is not the name of a zone, or that the host has no data about it.
var ErrUnknown = errors.New("unknown time zone")

// loaded caches zones by name. Only zones that exist are in it, so it is bounded.
var loaded sync.Map

// Load returns the zone with an IANA name, such as "America/Chicago", or ErrUnknown. It refuses ""
// and "Local", which load everywhere but mean different zones on different hosts.
func Load(name string) (*time.Location, error) {
	if known, ok := loaded.Load(name); ok {
		return known.(*time.Location), nil //nolint:errcheck,forcetypeassert // nothing else is stored
	}
	if name == "" || name == "Local" {
		return nil, ErrUnknown
	}
	found, err := time.LoadLocation(name)
	if err != nil {
		return nil, ErrUnknown // the cause names files of the host
	}
	loaded.Store(name, found)
	return found, nil
}
