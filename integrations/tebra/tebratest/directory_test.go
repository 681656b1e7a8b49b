package tebratest_test

import (
	"errors"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestDirectoryAndAccount(t *testing.T) {
	t.Parallel()
	w := newEnv(t, tebratest.Config{})
	ctx := t.Context()
	list, err := w.Directory.Practices(ctx, tebra.PracticesRequest{})
	practices := list.Rows
	if err != nil || len(practices) != 1 || practices[0].Name != "Example Practice" || practices[0].ID != w.id || !practices[0].Active {
		t.Errorf("practices %+v, %v", practices, err)
	}
	places, err := w.Directory.ServiceLocations(ctx, tebra.ServiceLocationsRequest{PracticeName: "Example Practice"})
	locations := places.Rows
	if err != nil || len(locations) != 1 || locations[0].Name != "Example Practice Main Office" || locations[0].PracticeID != w.id || locations[0].LastModified.IsZero() {
		t.Errorf("locations %+v, %v", locations, err)
	}
	billing, err := w.Directory.ProcedureCodes(ctx, tebra.ProcedureCodesRequest{Code: "SIM02"})
	codes := billing.Rows
	if err != nil || billing.Partial || len(codes) != 1 || codes[0].OfficialName != "Long visit" {
		t.Errorf("codes %+v, %v", codes, err)
	}
	reasons, err := w.Appointments.Reasons(ctx, w.id)
	why := reasons.Rows
	if err != nil || len(why) != 6 || why[0].Name != "Follow Up" || why[0].ID != "1" || why[0].Minutes != 30 {
		t.Errorf("reasons %+v, %v", why, err)
	}
	if id, err := w.System.CustomerID(ctx); err != nil || id != "4711" {
		t.Errorf("customer %q, %v", id, err)
	}
	a := w.clinic.Account()
	a.Password = "x"
	if _, err := newClient(t, w.sim, a).System.CustomerID(ctx); !errors.Is(err, &tebra.Error{Code: tebra.Unauthenticated}) {
		t.Errorf("customer with a wrong password: %v", err)
	}
}
