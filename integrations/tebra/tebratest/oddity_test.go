package tebratest_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// The seed alone chooses the odd rows: a visit is the same in lists of any range.
func TestOddRowsAreChosenByTheSeed(t *testing.T) {
	t.Parallel()
	day := "<k:Filter><k:EndDate>2/24/2026</k:EndDate><k:StartDate>2/24/2026</k:StartDate></k:Filter>"
	week := "<k:Filter><k:EndDate>2/27/2026</k:EndDate><k:StartDate>2/24/2026</k:StartDate></k:Filter>"
	odd := func(seed int64, filter string) []string {
		config := tebratest.Config{Seed: seed, Throttles: unthrottled, Odd: []tebratest.Oddity{tebratest.OddControlCharacters}}
		s := newServer(t, config)
		predicted := s.Clinics()[0].OddVisits(noon)
		response := post(t, s, "GetAppointments", header(tebratest.DefaultAccount())+"<k:Fields/>"+filter)
		var ids []string
		for row := range strings.SplitSeq(response, "</AppointmentData>") {
			if reference, raw := strings.Contains(row, "&#xB;"), strings.Contains(row, "\v"); reference != raw {
				t.Errorf("one form only of the character in %s", row)
			} else if raw {
				_, id, _ := strings.Cut(row, "<ID>")
				id, _, _ = strings.Cut(id, "</ID>")
				ids = append(ids, id)
			}
		}
		if len(predicted) != 1 || len(ids) == 0 || predicted[ids[0]] == nil {
			t.Errorf("odd rows %v, OddVisits of their first day %v", ids, predicted)
		}
		return ids
	}
	first, again, other, longer := odd(1, day), odd(1, day), odd(2, day), odd(1, week)
	if len(first) != 1 || !slices.Equal(first, again) || slices.Equal(first, other) {
		t.Errorf("odd rows %v, then %v, with another seed %v; want one, the same, another", first, again, other)
	}
	if len(longer) != 4 || longer[0] != first[0] {
		t.Errorf("odd rows of four days: %v, want four that begin with %v", longer, first)
	}
}

func TestEveryOddityShows(t *testing.T) {
	t.Parallel()
	requestHeader := header(oneAccount().Accounts[0])
	responses := func(odd ...tebratest.Oddity) string {
		config := oneAccount(tebratest.Practice{Name: "Lakeside", Patients: 100}, tebratest.Practice{Name: "Lakeside Pediatrics", Patients: 100})
		config.Throttles, config.Odd = unthrottled, odd
		s := newServer(t, config)
		all := post(t, s, "GetAppointments", requestHeader+"<k:Fields/><k:Filter><k:PracticeName>Lakeside</k:PracticeName></k:Filter>")
		all += post(t, s, "GetPatients", requestHeader+"<k:Fields/><k:Filter/>")
		all += post(t, s, "GetPractices", requestHeader+"<k:Fields/><k:Filter/>")
		all += post(t, s, "GetAllPatients", requestHeader+"<k:Fields/><k:Filter><k:BatchSize>9</k:BatchSize></k:Filter>")
		for _, p := range s.Clinics()[0].Patients()[:97] {
			all += post(t, s, "GetPatient", requestHeader+"<k:Filter><k:PatientID>"+p.ID+"</k:PatientID></k:Filter>")
		}
		return all
	}
	with := map[tebratest.Oddity][]tebratest.Oddity{tebratest.OddOverlap: {tebratest.OddBlock}}
	plain, blocks := responses(), responses(tebratest.OddBlock)
	for _, o := range tebratest.Oddities() {
		before := plain
		if o.Name == tebratest.OddOverlap { // only entries of several days show it
			before = blocks
		}
		if o.Description == "" || responses(append(with[o.Name], o.Name)...) == before {
			t.Errorf("%s has no description or no effect", o.Name)
		}
	}
}

// With all of them switched on, each oddity of calls has its turn, whatever the seed, and the calls
// between two of them are in order.
func TestEveryOddityOfCallsHasItsTurn(t *testing.T) {
	t.Parallel()
	request := header(tebratest.DefaultAccount()) + "<k:Fields/><k:Filter/>"
	all := tebratest.CallOddities()
	for seed := range int64(20) {
		s := newServer(t, tebratest.Config{Seed: seed, Throttles: unthrottled, Odd: tebratest.OddityNames()})
		for range 100 {
			post(t, s, "GetPractices", request)
		}
		odd, last := 0, -2
		for i, call := range s.Calls(0) {
			if call.Outcome != tebratest.OutcomeOdd {
				continue
			}
			if odd++; last == i-1 {
				t.Errorf("seed %d: calls %d and %d are both odd", seed, last, i)
			}
			last = i
		}
		if odd != len(all) {
			t.Errorf("seed %d: %d odd calls in a hundred, want %d", seed, odd, len(all))
		}
	}
}

// Lists of the directory have odd rows however short they are; short lists of others have none.
func TestShortListsOfTheDirectoryAreOdd(t *testing.T) {
	t.Parallel()
	config := oneAccount(tebratest.Practice{Name: "Lakeside", Patients: 3, VisitsPerDay: 3, Providers: 2})
	config.Throttles = unthrottled
	requestHeader := header(config.Accounts[0]) + "<k:Fields/>"
	responses := func(odd ...tebratest.Oddity) map[string]string {
		config.Odd = odd
		s := newServer(t, config)
		all := map[string]string{}
		for _, op := range []string{"GetPractices", "GetProviders", "GetPatients"} {
			all[op] = post(t, s, op, requestHeader+"<k:Filter><k:PracticeName>Lakeside</k:PracticeName></k:Filter>")
		}
		all["GetServiceLocations"] = post(t, s, "GetServiceLocations", header(config.Accounts[0])+"<n:Fields/><n:Filter/>")
		all["GetProcedureCodes"] = post(t, s, "GetProcedureCodes", header(config.Accounts[0])+"<n:Fields/><n:Filter/>")
		return all
	}
	plain, odd := responses(), responses(tebratest.OddRepeatedRow)
	for op := range plain {
		if changed := plain[op] != odd[op]; changed != (op != "GetPatients") {
			t.Errorf("%s is odd: %t", op, changed)
		}
	}
	if name := responses(tebratest.OddPracticeName)["GetPractices"]; !strings.Contains(name, "<PracticeName>Lakeside&#xB;</PracticeName>") {
		t.Errorf("the practice's name is not odd in %s", name)
	}
}

func TestUnknownAndRepeatedOdditiesAreRefused(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Odd: []tebratest.Oddity{tebratest.OddISO}})
	for _, on := range [][]tebratest.Oddity{{"unknown"}, {tebratest.OddJSON, tebratest.OddJSON}, {tebratest.OddJSON, ""}} {
		if err := s.SetOdd(on...); err == nil {
			t.Errorf("SetOdd accepts %q", on)
		}
		if _, err := tebratest.New(tebratest.Config{Odd: on}); err == nil {
			t.Errorf("New accepts %q", on)
		}
	}
	if on := s.Odd(); !slices.Equal(on, []tebratest.Oddity{tebratest.OddISO}) {
		t.Errorf("refused calls have switched on %q", on)
	}
}

// A rule gives an oddity of calls to chosen calls, whether it is switched on or not.
func TestRulesChooseOddCalls(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	requestHeader := header(tebratest.DefaultAccount()) + "<k:Fields/><k:Filter/>"
	s.SetFaults(tebratest.Faults{Rules: []tebratest.Rule{
		{Fault: tebratest.FaultOdd, Odd: tebratest.OddDeadlock, Count: 1}, {Fault: tebratest.FaultLocked, Count: 1},
	}})
	for _, want := range []string{"deadlocked on lock resources", "locked out", "<PracticeData>"} {
		if response := post(t, s, "GetPractices", requestHeader); !strings.Contains(response, want) {
			t.Errorf("no %q in %s", want, response)
		}
	}
	for _, rule := range []tebratest.Rule{
		{Fault: tebratest.FaultOdd},
		{Fault: tebratest.FaultOdd, Odd: tebratest.OddStart},
		{Fault: tebratest.FaultCut, Odd: tebratest.OddJSON},
		{Fault: tebratest.FaultOdd, Odd: tebratest.OddMergedPatient},
	} {
		if _, err := tebratest.New(tebratest.Config{Faults: tebratest.Faults{Rules: []tebratest.Rule{rule}}}); err == nil {
			t.Errorf("%+v is accepted", rule)
		}
	}
}

func TestMergedPatients(t *testing.T) {
	t.Parallel()
	s := newServer(t, tebratest.Config{Throttles: unthrottled})
	c := s.Clinics()[0]
	visit := c.Appointments(noon)[0]
	survivor := c.Patients()[0]
	if survivor.ID == visit.PatientID {
		survivor = c.Patients()[1]
	}
	if err := c.MergePatients(visit.PatientID, survivor.ID); err != nil {
		t.Fatal(err)
	}
	for _, pair := range [][2]string{{survivor.ID, survivor.ID}, {"1", survivor.ID}, {survivor.ID, "1"}} {
		if err := c.MergePatients(pair[0], pair[1]); err == nil {
			t.Errorf("merged %s into %s", pair[0], pair[1])
		}
	}
	requestHeader := header(tebratest.DefaultAccount())
	one := post(t, s, "GetPatient", requestHeader+"<k:Filter><k:PatientID>"+visit.PatientID+"</k:PatientID></k:Filter>")
	day := post(t, s, "GetAppointments", requestHeader+"<k:Fields/><k:Filter><k:EndDate>2/24/2026</k:EndDate><k:StartDate>2/24/2026</k:StartDate></k:Filter>")
	all := post(t, s, "GetPatients", requestHeader+"<k:Fields/><k:Filter/>")
	if !strings.Contains(one, "<ID>"+survivor.ID+"</ID>") || strings.Contains(day, visit.PatientID) || strings.Contains(all, visit.PatientID) ||
		!strings.Contains(all, "<ID>"+survivor.ID+"</ID>") {
		t.Error("the first patient is still there, or the second is not")
	}
}
