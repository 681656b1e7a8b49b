package tebra_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

func TestPermanent(t *testing.T) {
	t.Parallel()
	want := map[tebra.Code]bool{
		tebra.Throttled: false, tebra.Unauthenticated: true, tebra.Denied: true, tebra.Invalid: true, tebra.NotFound: true,
		tebra.Conflict: true, tebra.Unavailable: false, tebra.Timeout: false, tebra.Canceled: false, tebra.Malformed: false,
		tebra.Unknown: false,
	}
	for code, permanent := range want {
		if got := (&tebra.Error{Code: code}).Permanent(); got != permanent {
			t.Errorf("%s: permanent is %t, want %t", code, got, permanent)
		}
	}
}

func TestErrorIs(t *testing.T) {
	t.Parallel()
	err := fmt.Errorf("read patient: %w", &tebra.Error{Code: tebra.Throttled, Operation: "GetPatient"})
	if !errors.Is(err, &tebra.Error{Code: tebra.Throttled}) {
		t.Error("a code alone does not match")
	}
	if !errors.Is(err, &tebra.Error{Code: tebra.Throttled, Operation: "GetPatient"}) {
		t.Error("code and operation do not match")
	}
	if errors.Is(err, &tebra.Error{Code: tebra.Throttled, Operation: "GetPatients"}) || errors.Is(err, &tebra.Error{Code: tebra.Timeout}) {
		t.Error("another operation or code matches")
	}
	if got := err.Error(); got != "read patient: tebra GetPatient: throttled" {
		t.Errorf("text is %q", got)
	}
}
