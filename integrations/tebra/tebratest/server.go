package tebratest

import (
	"cmp"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"
	_ "time/tzdata" // IANA zones must load on every machine

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/phi"
)

// Path is the service's URL path, as at the vendor.
const Path = "/services/soap/2.1/KareoServices.svc"

// Config configures a Server. The zero Config has one account (DefaultAccount), no latency, the
// vendor's documented throttles, and real time.
type Config struct {
	Seed      int64
	Accounts  []Account
	Now       func() time.Time // the simulated clock; nil means time.Now
	Latency   Latency
	Throttles Throttles
	Faults    Faults   // initial settings; SetFaults replaces them
	Odd       []Oddity // initial oddities; SetOdd replaces them
}

// Account is a customer of the vendor.
type Account struct {
	CustomerKey string
	User        string
	Password    string
	Practices   []Practice // at most 700 in all accounts together
}

// Credentials returns the account's credentials for a client.
func (a Account) Credentials() tebra.Credentials {
	return tebra.Credentials{CustomerKey: phi.Text(a.CustomerKey), User: phi.Text(a.User), Password: phi.Text(a.Password)}
}

// Practice is a practice of an account. Counts of zero mean the reference practice: 4 providers,
// 3,000 patients, 90 visits a day. A negative count means none.
type Practice struct {
	ID           int    // unique in the account, at most nine digits; 0 means its position, from 1
	Name         string // "" means "Example Practice" and the ID
	Zone         string // IANA name; "" means America/Chicago
	State        string // of its address; "" means one that is in Zone
	Providers    int    // at most 100
	Patients     int    // at most 900,000
	VisitsPerDay int    // at most 900
}

// DefaultAccount returns the account of a Config without accounts.
func DefaultAccount() Account {
	return Account{
		CustomerKey: "sim-customer-key", User: "sim@example.test", Password: "sim-password",
		Practices: []Practice{{ID: 1, Name: "Example Practice", Zone: "America/Chicago"}},
	}
}

// Latency is the distribution of response times: log-normal with these quantiles. The zero Latency
// means none. Throttled and unauthenticated calls are answered at once, as the vendor does.
type Latency struct{ P50, P95 time.Duration }

// Server is the simulated vendor. It is safe for concurrent use and starts no goroutines. Create it
// with New.
type Server struct {
	config   Config
	accounts []*account
	clinics  []*Clinic
	mux      *http.ServeMux
	throttle throttle
	log      callLog

	mu     sync.Mutex // protects the fields below and all data of clinics
	faults Faults
	// latencyRand is used for latency only: people and days must not depend on the order of calls.
	latencyRand *rand.Rand
	faultRand   *rand.Rand // for rules with a rate only
	odd         []oddity   // in the order of the table
	calls       uint64     // so far, for oddities of calls
}

type account struct {
	Account
	id      int // CustomerId
	clinics []*Clinic
}

// New returns a server, or an error that names the invalid part of the Config.
func New(c Config) (*Server, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	if len(c.Accounts) == 0 {
		c.Accounts = []Account{DefaultAccount()}
	}
	if err := cmp.Or(c.Faults.check(), c.Throttles.check(), oddSet(c.Odd).check()); err != nil {
		return nil, fmt.Errorf("tebratest: %w", err)
	}
	s := &Server{
		config: c, faults: c.Faults.clone(), odd: selectOddities(c.Odd),
		// The seed makes runs reproducible.
		latencyRand: rand.New(rand.NewPCG(uint64(c.Seed), 0x1a7e9c)), faultRand: rand.New(rand.NewPCG(uint64(c.Seed), 0x10cc)),
	}
	s.throttle = throttle{config: c.Throttles.normalized(), last: map[throttleKey]time.Time{}}
	s.log.counts = map[string]Count{}
	keys := map[string]bool{}
	for i, a := range c.Accounts {
		if a.CustomerKey == "" || keys[a.CustomerKey] {
			return nil, fmt.Errorf("tebratest: account %d: customer key is empty or a duplicate", i)
		}
		keys[a.CustomerKey] = true
		if err := s.addAccount(a); err != nil {
			return nil, fmt.Errorf("tebratest: account %d: %w", i, err)
		}
	}
	s.mux = s.routes()
	return s, nil
}

// maxPractices is the number of practices with distinct identifiers. The vendor's are 32 bits wide,
// and case identifiers are the first to overflow.
const maxPractices = 700

func (s *Server) addAccount(a Account) error {
	acc := &account{Account: a, id: 4711 + len(s.accounts)}
	names, ids := map[string]bool{}, map[int]bool{}
	for i, p := range a.Practices {
		p.ID = cmp.Or(p.ID, i+1)
		p.Name = cmp.Or(p.Name, fmt.Sprintf("Example Practice %d", p.ID))
		p.Zone = cmp.Or(p.Zone, "America/Chicago")
		p.State = cmp.Or(p.State, zoneStates[p.Zone])
		p.Providers = countOrDefault(p.Providers, 4)
		p.Patients = countOrDefault(p.Patients, 3000)
		p.VisitsPerDay = countOrDefault(p.VisitsPerDay, 90)
		if names[p.Name] || ids[p.ID] {
			return errors.New("two practices share a name or an id")
		}
		if len(s.clinics) == maxPractices || p.ID < 0 || p.ID > 999_999_999 || p.Patients > 900_000 || p.VisitsPerDay > 900 ||
			p.Providers > 100 || p.VisitsPerDay > 0 && (p.Providers == 0 || p.Patients == 0) {
			return errors.New("too many practices, providers, patients or visits, or visits without providers or patients")
		}
		names[p.Name], ids[p.ID] = true, true
		zone, err := time.LoadLocation(p.Zone)
		if err != nil {
			return errors.New("a practice has an unknown zone")
		}
		clinic := newClinic(s, acc, len(s.clinics), p, zone)
		s.clinics = append(s.clinics, clinic)
		acc.clinics = append(acc.clinics, clinic)
	}
	s.accounts = append(s.accounts, acc)
	return nil
}

// zoneStates maps zones to a state in each. Practices in other zones have addresses without a
// state.
var zoneStates = map[string]string{
	"America/New_York": "NY", "America/Chicago": "TX", "America/Denver": "CO", "America/Phoenix": "AZ", "America/Los_Angeles": "CA",
	"America/Anchorage": "AK", "Pacific/Honolulu": "HI",
}

func countOrDefault(n, fallback int) int {
	if n == 0 {
		return fallback
	}
	return max(n, 0)
}

// Clinics returns all practices in the order of the Config.
func (s *Server) Clinics() []*Clinic { return append([]*Clinic(nil), s.clinics...) }

// Clinic returns the practice with this ID in the account with this customer key, or nil.
func (s *Server) Clinic(customerKey string, id int) *Clinic {
	for _, c := range s.clinics {
		if c.account.CustomerKey == customerKey && c.practice.ID == id {
			return c
		}
	}
	return nil
}

// Account returns the clinic's account with its credentials.
func (c *Clinic) Account() Account { return c.account.Account }

// ServeHTTP serves the vendor's path and /control/.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+Path, s.serveSOAP)
	mux.HandleFunc("GET "+Path, s.serveWSDL)
	s.control(mux)
	return mux
}
