package tasks

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
)

func TestExamineSaysWhatWouldDieAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	with, err := NewExaminer(b.keys)
	must(t, err)
	others, err := NewExaminer(newKeys(t))
	must(t, err)
	without, err := NewExaminer(nil)
	must(t, err)
	for name, c := range map[string]struct {
		args          Args
		spoil         func(*Delivery)
		want, keyless Code
	}{
		"nothing":             {SyncPatient{Practice: "7", Patient: "4711"}, func(*Delivery) {}, "", ""},
		"an old call":         {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { age(d, 25*time.Hour) }, codes.TooOld, codes.TooOld},
		"an old invalidation": {InvalidateEntity{Practice: "7", Noun: NounPatient, ID: "4711"}, func(d *Delivery) { age(d, 25*time.Hour) }, "", ""},
		"a kind of the tests": {note{}, func(*Delivery) {}, codes.UnknownKind, codes.UnknownKind},
		"a newer version":     {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.Headers[headerVersion] = "99" }, codes.NewerVersion, codes.NewerVersion},
		"a foreign ID":        {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.ID = "x" }, codes.MalformedID, codes.MalformedID},
		"no payload":          {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.Payload = nil }, codes.PayloadLost, codes.PayloadLost},
		"no headers":          {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.Headers = nil }, codes.MalformedHeaders, codes.MalformedHeaders},
		"a large payload":     {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.Payload = append(d.Payload, make([]byte, maxSealed)...) }, codes.TooLarge, codes.TooLarge},
		"a clear payload":     {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.Payload = []byte(`{"practice":"7","patient":"4711"}`) }, codes.DoesNotOpen, codes.DoesNotOpen},
		"another tenant":      {SyncPatient{Practice: "7", Patient: "4711"}, func(d *Delivery) { d.Headers[headerTenant] = "clinic-b" }, codes.DoesNotOpen, ""},
	} {
		d := b.seal(t, c.args)
		c.spoil(&d)
		if got := with.Examine(d); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if got := without.Examine(d); got != c.keyless {
			t.Errorf("%s without keys: %q, want %q", name, got, c.keyless)
		}
	}
	d := b.seal(t, SyncPatient{Practice: "7", Patient: "4711"})
	if got := others.Examine(d); got == "" {
		t.Error("another keyset would open it")
	}
	for text, want := range map[string]Code{`{"practice":"7","patient":"4711","more":1}`: codes.MalformedPayload, `{"practice":"","patient":"4711"}`: codes.InvalidArguments} {
		d.Payload, err = with.keys.For("clinic-a").Seal([]byte(text), "clinic-a", d.Kind, d.ID)
		must(t, err)
		if got := with.Examine(d); got != want {
			t.Errorf("%s: %q, want %q", text, got, want)
		}
	}
	if _, err := NewExaminer([]byte("x")); err == nil {
		t.Error("a broken keyset is accepted")
	}
}

// age makes the demand older.
func age(d *Delivery, by time.Duration) {
	d.Headers[headerEnqueuedAt] = time.Now().Add(-by).UTC().Format(time.RFC3339Nano)
}
