package tebratest

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"strconv"
	"time"
)

// Invented words, recognizable as such. The unusual ones break careless handling of XML, HTML and
// columns.
var (
	firstNames = []string{
		"Avery", "Blair", "Casey", "Devon", "Ellis", "Finley", "Gray", "Harper", "Indigo", "Jules", "Kit", "Lane",
		"Marlow", "Noor", "Oakley", "Perry", "Quinn", "Remy", "Sage", "Tatum", "Umber", "Vesper", "Wren", "Yael",
		"Zephyr", "Anne-Marie", "J.", "Ünal", "דוגמה", "例",
	}
	lastNames = []string{
		"Alderly", "Brackwater", "Cindermoor", "Dovelane", "Elmsworth", "Fennimark", "Glasswick", "Hollowmere",
		"Ironvale", "Jasperton", "Kestrelby", "Larkstone", "Mossgrove", "Northbeam", "Ottersley", "Pinehearth",
		"Quillfeather", "Rushbrook", "Saltmarrow", "Thistledown", "Underbough", "Vinterholm", "Willowmist", "Yarrowgate",
		"O'Sample", "D'Test-Fixture", "Ampers & Sons", "<Angle>", "בדיקה", "]]>End", "van der Fabricated",
	}
	streets  = []string{"Sample Street", "Fixture Lane", "Placeholder Avenue", "Mock Road"}
	insurers = []string{"Imaginary Mutual", "Example Health Plan", "Fictional Care Group"}
	reasons  = []string{"Follow Up", "New Patient", "Annual Exam", "Lab Review", "Procedure", "Telehealth"}
	doctors  = []string{"Fabricant", "Mockford", "Stubbington", "Holderby", "Specimen", "Paradigm"}
)

// Person is a patient in the form that tests and demos use.
type Person struct {
	ID        string
	FirstName string
	LastName  string
	BirthDate time.Time // midnight UTC
	Phone     string
	Email     string
	Created   time.Time
	Modified  time.Time
}

// Name returns the patient's name as appointment rows write it.
func (p Person) Name() string { return p.FirstName + " " + p.LastName }

// random returns a generator for one purpose. It depends only on the seed, the clinic and the
// arguments, not on earlier calls.
func (c *Clinic) random(what string, n int) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprintf(h, "%d/%d/%s/%d", c.server.config.Seed, c.index, what, n)
	return rand.New(rand.NewPCG(h.Sum64(), uint64(n)))
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

// patient returns the current record of the n-th patient (from 0). The caller holds the server's
// lock.
func (c *Clinic) patient(n int) Person {
	if p, ok := c.editedPatients[n]; ok {
		return p
	}
	r := c.random("patient", n)
	p := Person{
		ID:        strconv.Itoa(c.patientIDBase() + n + 1),
		FirstName: pick(r, firstNames),
		LastName:  pick(r, lastNames),
		BirthDate: time.Date(1935, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, r.IntN(85*365)),
		Phone:     fmt.Sprintf("(%03d) 555-01%02d", 200+r.IntN(700), r.IntN(100)),
	}
	p.Email = syntheticEmail(p.ID)
	p.Modified = c.startedAt.AddDate(0, 0, -30-r.IntN(900)).Add(-time.Duration(r.IntN(86400)) * time.Second)
	p.Created = c.startedAt.AddDate(-3, 0, -r.IntN(300))
	return p
}

func syntheticEmail(id string) string { return "patient" + id + "@example.test" }

// patientIndex returns the index of the patient with this identifier.
func (c *Clinic) patientIndex(id string) (n int, ok bool) {
	v, err := strconv.Atoi(id)
	n = v - c.patientIDBase() - 1
	return n, err == nil && n >= 0 && n < c.patients
}

// patientIDBase makes identifiers of different practices distinct, also across accounts, so that
// mix-ups become visible.
func (c *Clinic) patientIDBase() int { return (c.index + 1) * 1_000_000 }

// provider is a doctor of a clinic.
type provider struct{ id, first, last string }

func (p provider) name() string { return "Dr. " + p.first + " " + p.last }

func (c *Clinic) provider(i int) provider {
	r := c.random("provider", i)
	last := doctors[i%len(doctors)]
	if round := i / len(doctors); round > 0 {
		last += " " + strconv.Itoa(round+1)
	}
	return provider{id: strconv.Itoa(c.index*100 + i + 7), first: pick(r, firstNames[:24]), last: last}
}
