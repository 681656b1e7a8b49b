package tebratest_test

import (
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestInvalidConfig(t *testing.T) {
	t.Parallel()
	for name, config := range map[string]tebratest.Config{
		"no key":         {Accounts: []tebratest.Account{{}}},
		"duplicate key":  {Accounts: []tebratest.Account{{CustomerKey: "k"}, {CustomerKey: "k"}}},
		"duplicate name": oneAccount(tebratest.Practice{Name: "a"}, tebratest.Practice{Name: "a"}),
		"duplicate id":   oneAccount(tebratest.Practice{ID: 2}, tebratest.Practice{ID: 2, Name: "b"}),
		"zone":           oneAccount(tebratest.Practice{Zone: "Atlantis/Deep"}),
		"patients":       oneAccount(tebratest.Practice{Patients: 900_001}),
		"visits":         oneAccount(tebratest.Practice{VisitsPerDay: 901}),
		"no patients":    oneAccount(tebratest.Practice{Patients: -1}),
		"no providers":   oneAccount(tebratest.Practice{Providers: -1}),
		"providers":      oneAccount(tebratest.Practice{Providers: 101}),
		"practices":      oneAccount(make([]tebratest.Practice, 701)...),
		"negative id":    oneAccount(tebratest.Practice{ID: -1}),
		"long id":        oneAccount(tebratest.Practice{ID: 1_000_000_000}),
		"faults":         {Faults: tebratest.Faults{Rules: []tebratest.Rule{{Fault: "x"}}}},
		"oddity":         {Odd: []tebratest.Oddity{"x"}},
		"throttles":      {Throttles: tebratest.Throttles{Margin: -1}},
	} {
		if _, err := tebratest.New(config); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if _, err := tebratest.New(oneAccount(make([]tebratest.Practice, 700)...)); err != nil {
		t.Errorf("700 practices: %v", err)
	}
	s, err := tebratest.New(oneAccount(tebratest.Practice{Patients: -1, VisitsPerDay: -1}))
	if err != nil {
		t.Fatal(err)
	}
	if c := s.Clinic("k", 1); c == nil || len(c.Patients()) != 0 || len(c.Appointments(time.Now())) != 0 {
		t.Error("an empty practice is not empty")
	}
	if s.Clinic("k", 2) != nil || s.Clinic("", 1) != nil {
		t.Error("a practice exists that is not configured")
	}
}
