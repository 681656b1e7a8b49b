package ledger

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestActionsAreRecorded(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, l *Ledger) {
		ofHost := Action{At: noon, Operator: "ann", Action: "breaker.open", Subject: "host", Reason: "ops-1234", Until: noon.Add(time.Minute)}
		ofTenant := ofHost
		ofTenant.Tenant, ofTenant.Subject = "clinic-a", "GetPatient"
		released := ofHost
		released.At, released.Action, released.Until = noon.Add(time.Second), "breaker.release", time.Time{}
		for _, a := range []Action{ofHost, ofTenant, released} {
			if err := l.RecordAction(t.Context(), a); err != nil {
				t.Fatal(err)
			}
		}
		equal(t, "host", must[[]Action](t)(l.Actions(t.Context(), "", "host", 10)), []Action{released, ofHost})
		equal(t, "the latest of the host", must[[]Action](t)(l.Actions(t.Context(), "", "host", 1)), []Action{released})
		equal(t, "tenant", must[[]Action](t)(l.Actions(t.Context(), "clinic-a", "GetPatient", 10)), []Action{ofTenant})

		late := ofHost
		late.At = noon.Add(actionLife + time.Millisecond) // ofHost is too old, released is not
		if err := l.RecordAction(t.Context(), late); err != nil {
			t.Fatal(err)
		}
		equal(t, "after 400 days", must[[]Action](t)(l.Actions(t.Context(), "", "host", 10)), []Action{late, released})
		for name, spoil := range map[string]func(*Action){
			"no operator": func(a *Action) { a.Operator = "" }, "no reason": func(a *Action) { a.Reason = "" },
			"no time": func(a *Action) { a.At = time.Time{} }, "no subject": func(a *Action) { a.Subject = "" },
			"no tenant's name": func(a *Action) { a.Tenant = "Clinic A" }, "long": func(a *Action) { a.Operator = strings.Repeat("x", maxCode+1) },
		} {
			a := ofHost
			if spoil(&a); !errors.Is(l.RecordAction(t.Context(), a), ErrInvalid) {
				t.Errorf("%s is recorded", name)
			}
		}
	})
}

func TestParseReason(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"ops-1234": "ops-1234", "  clinic has   left ": "clinic-has-left", "": "", " ": "", "Jane's chart": "", strings.Repeat("x", MaxReason+1): "", "é": "",
	} {
		if got, err := ParseReason(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}
