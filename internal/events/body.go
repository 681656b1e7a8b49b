package events

import (
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"

	"github.com/workflow-bolt/rounds/internal/phi"
)

// Kinds of events. A released kind keeps its meaning.
const (
	// AppointmentChanged: appointments were added, changed or removed. Refs are those of the
	// appointments.
	AppointmentChanged = "appointment.changed"
	// PatientChanged: patients' own data changed. Refs are those of the patients.
	PatientChanged = "patient.changed"
	// DirectoryChanged: the practice's providers, locations or its own record changed.
	DirectoryChanged = "directory.changed"
	// EntityInvalidated: a caller declared cached copies invalid. Refs are those of the documents
	// it named.
	EntityInvalidated = "entity.invalidated"
	// ViewRebuilt: views were computed again and are in the cache. It invalidates nothing.
	ViewRebuilt = "view.rebuilt"
)

// Limits of a body. A writer with more refs leaves them out: an empty list means "some of this
// practice's".
const (
	// MaxRefs is the largest number of refs, and of views, of one body.
	MaxRefs = 64
	// MaxBody is the longest encoded body in bytes.
	MaxBody = 8 << 10
)

const (
	maxKind = 40
	refLen  = 26
)

// Body describes what an event is about, in refs alone. The zero value is not valid: an event has a
// kind.
type Body struct {
	// Kind is one of this package's kinds. Readers ignore the kinds of a newer release.
	Kind string `json:"kind"`
	// Practice is the practice concerned; empty for an event of the whole tenant.
	Practice phi.Ref `json:"practice,omitempty"`
	// Refs are the documents concerned, at most MaxRefs.
	Refs []phi.Ref `json:"refs,omitempty"`
	// Views are the views concerned, at most MaxRefs.
	Views []phi.Ref `json:"views,omitempty"`
}

// Encode checks the body against the kinds and limits above and returns it as JSON. The error
// contains no value.
func (b Body) Encode() ([]byte, error) {
	switch b.Kind {
	case AppointmentChanged, PatientChanged, DirectoryChanged, EntityInvalidated, ViewRebuilt:
	default:
		return nil, errors.New("events: unknown kind")
	}
	if err := b.check(); err != nil {
		return nil, err
	}
	data, err := json.Marshal(b, json.Deterministic(true))
	if err != nil {
		return nil, errors.New("events: body cannot be encoded")
	}
	return data, nil
}

func (b Body) check() error {
	if !isKind(b.Kind) {
		return errors.New("events: kind is not noun.verb")
	}
	if b.Practice != "" && !isRef(b.Practice) {
		return errors.New("events: practice is not a ref")
	}
	if err := checkRefs("refs", b.Refs); err != nil {
		return err
	}
	return checkRefs("views", b.Views)
}

func checkRefs(name string, refs []phi.Ref) error {
	if len(refs) > MaxRefs {
		return fmt.Errorf("events: %d %s, at most %d allowed", len(refs), name, MaxRefs)
	}
	for i, r := range refs {
		if !isRef(r) {
			return fmt.Errorf("events: number %d of %s is not a ref", i, name)
		}
	}
	return nil
}

func decodeBody(s string) (Body, error) {
	if len(s) > MaxBody {
		return Body{}, errors.New("events: body too long")
	}
	var b Body
	if err := json.Unmarshal([]byte(s), &b); err != nil {
		return Body{}, errors.New("events: body is not valid JSON for an event") // the decoder's own error would quote the data
	}
	return b, b.check()
}

func isKind(s string) bool {
	dots := 0
	for _, c := range []byte(s) {
		switch {
		case c == '.':
			dots++
		case (c < 'a' || c > 'z') && c != '-':
			return false
		}
	}
	return dots == 1 && len(s) >= 3 && len(s) <= maxKind && s[0] != '.' && s[len(s)-1] != '.'
}

func isRef(r phi.Ref) bool {
	if len(r) != refLen {
		return false
	}
	_, ok := r.Bytes()
	return ok
}
