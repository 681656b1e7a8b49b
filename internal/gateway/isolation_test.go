package gateway

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/practice"
)

// probe is a request that contains an identifier.
type probe struct{ method, path, body string }

// probes returns a request to every route that takes an identifier, with the given ones.
func probes(practiceID, task, patient, provider, visit string) []probe {
	const on = "&date=2026-03-02"
	return []probe{
		{http.MethodGet, "/v1/tasks/" + task, ""},
		{http.MethodGet, "/v1/practices/" + practiceID + "/board?date=2026-03-02", ""},
		{http.MethodGet, "/v1/patients/" + patient + "?practice=" + practiceID, ""},
		{http.MethodGet, "/v1/patients/" + patient + "?practice=7", ""},
		{http.MethodGet, "/v1/providers/" + provider + "/day?practice=" + practiceID + on, ""},
		{http.MethodGet, "/v1/providers/" + provider + "/day?practice=7" + on, ""},
		{http.MethodPost, "/v1/invalidations", `{"practice":"` + practiceID + `","noun":"practice"}`},
		{http.MethodPost, "/v1/invalidations", `{"practice":"` + practiceID + `","noun":"patient","id":"` + patient + `"}`},
		{http.MethodPost, "/v1/invalidations", `{"practice":"7","noun":"appointment","id":"` + visit + `"}`},
		{http.MethodPost, "/v1/tasks", args("schedule.sync", `{"practice":"`+practiceID+`","from":"2026-03-02","to":"2026-03-02"}`)},
		{http.MethodPost, "/v1/tasks", args("patient.sync", `{"practice":"`+practiceID+`","patient":"`+patient+`"}`)},
		{http.MethodPost, "/v1/tasks", args("directory.sync", `{"practice":"`+practiceID+`"}`)},
		{http.MethodPost, "/v1/tasks", args("view.warm", `{"view":"day-board","practice":"`+practiceID+`","date":"2026-03-02"}`)},
		{http.MethodPost, "/v1/tasks", args("entity.invalidate", `{"practice":"`+practiceID+`","noun":"practice"}`)},
	}
}

var demandID = regexp.MustCompile(`[a-z2-7]{26}\.\d{16}\.sync`)

// With another tenant's identifiers, a key gets the same responses, byte for byte, as with
// identifiers that do not exist, and the other tenant's data does not change.
func TestOtherTenantsResourcesLookAbsent(t *testing.T) {
	t.Parallel()
	b := setup(t, unlimited)
	b.applyDay(clinicA, "7", visit("7", 1))
	secret := visit("9", 500)
	secret.PatientName, secret.Resources = "Quarrelvole Zyxwine", []practice.Resource{{ID: "3131", Name: "Dr Ombrewhistle"}}
	b.applyDay(clinicB, "9", secret)
	b.applyPatient(clinicB, practice.Patient{ID: secret.Patient, First: "Zyxwine", Last: "Quarrelvole"})
	made := b.do(b.request(http.MethodPost, "/v1/tasks", keyB, args("directory.sync", `{"practice":"9"}`)))
	var task receipt
	made.json(t, &task)
	if own := b.do(b.request(http.MethodGet, "/v1/practices/9/board?date=2026-03-02", keyB, "")); !bytes.Contains(own.body, []byte("Quarrelvole")) {
		t.Fatalf("the other tenant has no secret to hide: %d %s", own.StatusCode, own.body)
	}
	end, err := b.events.XLen(t.Context(), "c1:{clinic-b}:x").Result()
	if err != nil {
		t.Fatal(err)
	}
	unknown := probes("4", "aaaaaaaaaaaaaaaaaaaaaaaaaa.1772442000000000.sync", "987654", "9876", "987654")
	for i, ask := range probes("9", task.ID, secret.Patient.Reveal(), "3131", secret.ID.Reveal()) {
		theirs := b.do(b.request(ask.method, ask.path, keyA, ask.body))
		none := b.do(b.request(unknown[i].method, unknown[i].path, keyA, unknown[i].body))
		for _, r := range []reply{theirs, none} {
			for _, name := range []string{"Date", "Etag", "Age", "Data-As-Of"} { // these differ between two reads of the caller's own empty view
				r.Header.Del(name)
			}
		}
		for _, r := range []*reply{&theirs, &none} { // each demand has its own task id, a digest with the caller's key
			r.body = demandID.ReplaceAll(r.body, []byte("ID.sync"))
		}
		same := bytes.Equal(theirs.body, none.body)
		if strings.Contains(ask.path, "/providers/") && theirs.StatusCode == http.StatusOK { // the response repeats the path's number
			same = bytes.Equal(bytes.ReplaceAll(theirs.body, []byte("3131"), []byte("9876")), none.body)
			theirs.Header.Del("Content-Length")
			none.Header.Del("Content-Length")
		}
		if theirs.StatusCode != none.StatusCode || !same || !slices.Equal(headerLines(theirs), headerLines(none)) {
			t.Errorf("%s %s: %d %v %s\nwith unknown identifiers: %d %v %s", ask.method, ask.path, theirs.StatusCode, headerLines(theirs), theirs.body,
				none.StatusCode, headerLines(none), none.body)
		}
		for _, secret := range []string{"Quarrelvole", "Zyxwine", "Ombrewhistle", "clinic-b"} {
			if bytes.Contains(theirs.body, []byte(secret)) {
				t.Errorf("%s %s reveals %s", ask.method, ask.path, secret)
			}
		}
	}
	if n, err := b.events.XLen(t.Context(), "c1:{clinic-b}:x").Result(); err != nil || n != end {
		t.Errorf("the other tenant has %d events, had %d (%v)", n, end, err)
	}
	if own := b.do(b.request(http.MethodGet, "/v1/practices/9/board?date=2026-03-02", keyB, "")); own.Header.Get("Data-Stale") != "false" {
		t.Error("the other tenant's board became stale")
	}
}

func headerLines(r reply) []string {
	var out []string
	for name, values := range r.Header {
		out = append(out, name+": "+strings.Join(values, ", "))
	}
	slices.Sort(out)
	return out
}
