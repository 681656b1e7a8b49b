package tebratest

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// controlVisit is a Visit as JSON. It omits names: clients of the control API need identifiers
// only.
type controlVisit struct {
	Appointment string    `json:"appointment"`
	Patient     string    `json:"patient"`
	Provider    string    `json:"provider"`
	Start       time.Time `json:"start"`
	End         time.Time `json:"end"`
	Status      string    `json:"status"`
	Modified    time.Time `json:"modified"`
	Notes       string    `json:"notes"`
	Group       int       `json:"group"` // number of patients in a group, 0 for one patient
	Series      int       `json:"series"`
	Deleted     bool      `json:"deleted"`
}

func newControlVisit(v Visit) controlVisit {
	return controlVisit{
		v.ID, v.PatientID, v.ProviderID, v.Start, v.End, v.Status, v.Modified, v.Notes, len(v.Attendees), v.Series, v.Deleted,
	}
}

// controlPatient is a Person as JSON, with synthetic data like all others.
type controlPatient struct {
	Patient  string    `json:"patient"`
	First    string    `json:"first"`
	Last     string    `json:"last"`
	Born     string    `json:"born"` // 2006-01-02
	Phone    string    `json:"phone"`
	Modified time.Time `json:"modified"`
}

type controlPractice struct {
	Account  int    `json:"account"` // CustomerId, as in calls
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Zone     string `json:"zone"`
	Patients int    `json:"patients"`
}

// controlCommand is the body of every POST. Each route uses the members it needs.
type controlCommand struct {
	Appointment string    `json:"appointment"`
	Patient     string    `json:"patient"`
	Status      string    `json:"status"`
	Phone       string    `json:"phone"`
	Start       time.Time `json:"start"`
	On          bool      `json:"on"`
	Account     int       `json:"account"` // CustomerId; 0 means any
	Practice    int       `json:"practice"`
	Day         string    `json:"day"` // 2006-01-02
	Until       time.Time `json:"until"`
	Name        string    `json:"name"`
	Access      Access    `json:"access"`
}

// control adds the routes of the control API to mux. Reads are GET and return JSON. Commands are
// POST with a JSON object and return 204. Unknown records return 404. A practice number is unique
// only in its account; without an account, the first practice with that number is used.
//
//	GET  /control/calls?after=SEQ       GET  /control/counts       GET /control/practices
//	GET  /control/appointments?account=CUSTOMER_ID&practice=ID&day=2026-02-24
//	GET  /control/appointment?id=ID     GET  /control/patient?id=ID
//	POST /control/status {appointment, status}
//	POST /control/cancel {appointment}
//	POST /control/delete {appointment}
//	POST /control/move   {appointment, start}
//	POST /control/phone  {patient, phone}
//	POST /control/rename {account, practice, name}
//	POST /control/access {account, practice, access}       access: unlisted, unauthorized, refused
//	POST /control/outage {on}
//	POST /control/fail-patient {patient, on}
//	POST /control/play   {account, practice, day, until}    plays the staff's day up to a time
//	GET  /control/faults                PUT  /control/faults       (all of Faults)
//	GET  /control/throttles             PUT  /control/throttles    (all of Throttles)
//	GET  /control/odd                   PUT  /control/odd          (names of the oddities that are on)
func (s *Server) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/calls", func(w http.ResponseWriter, r *http.Request) {
		after, err := queryInt(r, "after")
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		writeJSON(w, s.Calls(after))
	})
	mux.HandleFunc("GET /control/counts", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Counts()) })
	mux.HandleFunc("GET /control/practices", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.practices()) })
	mux.HandleFunc("GET /control/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Faults()) })
	mux.HandleFunc("GET /control/appointments", s.controlAppointments)
	mux.HandleFunc("GET /control/throttles", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Throttles()) })
	mux.HandleFunc("GET /control/appointment", s.controlAppointment)
	mux.HandleFunc("GET /control/patient", s.controlPatient)
	mux.HandleFunc("PUT /control/faults", func(w http.ResponseWriter, r *http.Request) { putJSON(w, r, s.SetFaults) })
	mux.HandleFunc("PUT /control/throttles", func(w http.ResponseWriter, r *http.Request) { putJSON(w, r, s.SetThrottles) })
	s.controlOdd(mux)
	s.controlCommands(mux)
}

// controlCommands adds the routes that act as the practice's staff or inject faults.
func (s *Server) controlCommands(mux *http.ServeMux) {
	handle := func(name string, do func(o controlCommand) error) {
		mux.HandleFunc("POST /control/"+name, func(w http.ResponseWriter, r *http.Request) { runCommand(w, r, do) })
	}
	handle("status", func(o controlCommand) error {
		if o.Status == "" {
			return errIncompleteCommand
		}
		return s.onAppointment(o, func(c *Clinic) error { return c.SetStatus(o.Appointment, o.Status) })
	})
	handle("cancel", func(o controlCommand) error {
		return s.onAppointment(o, func(c *Clinic) error { return c.Cancel(o.Appointment) })
	})
	handle("delete", func(o controlCommand) error {
		return s.onAppointment(o, func(c *Clinic) error { return c.Delete(o.Appointment) })
	})
	handle("move", func(o controlCommand) error {
		if o.Start.IsZero() {
			return errIncompleteCommand
		}
		return s.onAppointment(o, func(c *Clinic) error { return c.Move(o.Appointment, o.Start) })
	})
	handle("phone", func(o controlCommand) error {
		return s.firstClinic(func(c *Clinic) error { return c.SetPhone(o.Patient, o.Phone) })
	})
	handle("play", s.controlPlay)
	handle("rename", func(o controlCommand) error {
		if o.Name == "" {
			return errIncompleteCommand
		}
		return s.onPractice(o, func(c *Clinic) { c.Rename(o.Name) })
	})
	handle("access", func(o controlCommand) error { return s.onPractice(o, func(c *Clinic) { c.SetAccess(o.Access) }) })
	handle("outage", func(o controlCommand) error { s.Outage(o.On); return nil })
	handle("fail-patient", func(o controlCommand) error {
		if o.Patient == "" {
			return errIncompleteCommand
		}
		s.FailPatient(o.Patient, o.On)
		return nil
	})
}

var errIncompleteCommand = errors.New("command is incomplete")

// putJSON replaces all settings of one kind.
func putJSON[T interface{ check() error }](w http.ResponseWriter, r *http.Request, set func(T)) {
	var v T
	if !readJSON(w, r, &v) {
		return
	}
	if err := v.check(); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	set(v)
	w.WriteHeader(http.StatusNoContent)
}

// controlAppointment also returns deleted visits, for comparison in tests.
func (s *Server) controlAppointment(w http.ResponseWriter, r *http.Request) {
	for _, c := range s.clinics {
		if v, err := c.lookup(r.URL.Query().Get("id")); err == nil {
			writeJSON(w, newControlVisit(v))
			return
		}
	}
	http.Error(w, "no such record", http.StatusNotFound)
}

func (s *Server) controlPatient(w http.ResponseWriter, r *http.Request) {
	for _, c := range s.clinics {
		if p, err := c.Patient(r.URL.Query().Get("id")); err == nil {
			writeJSON(w, controlPatient{p.ID, p.FirstName, p.LastName, p.BirthDate.Format(time.DateOnly), p.Phone, p.Modified})
			return
		}
	}
	http.Error(w, "no such record", http.StatusNotFound)
}

func (s *Server) controlPlay(o controlCommand) error {
	c := s.findClinic(o.Account, o.Practice)
	if c == nil {
		return ErrNotFound
	}
	day, err := time.ParseInLocation(time.DateOnly, o.Day, c.zone)
	if err != nil || o.Until.IsZero() {
		return errIncompleteCommand
	}
	c.Play(day, time.Time{}, o.Until)
	return nil
}

func (s *Server) onPractice(o controlCommand, do func(*Clinic)) error {
	c := s.findClinic(o.Account, o.Practice)
	if c == nil {
		return ErrNotFound
	}
	do(c)
	return nil
}

// findClinic returns the practice with this number in an account (0 for any account), or nil.
func (s *Server) findClinic(account, practice int) *Clinic {
	for _, c := range s.clinics {
		if c.practice.ID == practice && (account == 0 || account == c.account.id) {
			return c
		}
	}
	return nil
}

func runCommand(w http.ResponseWriter, r *http.Request, do func(controlCommand) error) {
	var o controlCommand
	if !readJSON(w, r, &o) {
		return
	}
	switch err := do(o); {
	case errors.Is(err, ErrNotFound):
		http.Error(w, "no such record", http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// firstClinic calls do for every clinic until one has the record. Identifiers are unique across
// clinics.
func (s *Server) firstClinic(do func(*Clinic) error) error {
	for _, c := range s.clinics {
		if err := do(c); !errors.Is(err, ErrNotFound) {
			return err
		}
	}
	return ErrNotFound
}

func (s *Server) onAppointment(o controlCommand, do func(*Clinic) error) error {
	if o.Appointment == "" {
		return errIncompleteCommand
	}
	return s.firstClinic(do)
}

func (s *Server) practices() []controlPractice {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := []controlPractice{}
	for _, c := range s.clinics {
		p := c.practice
		all = append(all, controlPractice{Account: c.account.id, ID: p.ID, Name: p.Name, Zone: p.Zone, Patients: c.patients})
	}
	return all
}

func (s *Server) controlAppointments(w http.ResponseWriter, r *http.Request) {
	practice, err := queryInt(r, "practice")
	account, accountErr := queryInt(r, "account")
	if err := errors.Join(err, accountErr); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := s.findClinic(account, practice)
	if c == nil {
		http.Error(w, "no such practice", http.StatusNotFound)
		return
	}
	day := c.today()
	if text := r.URL.Query().Get("day"); text != "" {
		if day, err = time.ParseInLocation(time.DateOnly, text, c.zone); err != nil {
			http.Error(w, "day is not a date", http.StatusBadRequest)
			return
		}
	}
	all := []controlVisit{}
	for _, v := range c.Appointments(day) {
		all = append(all, newControlVisit(v))
	}
	writeJSON(w, all)
}

// queryInt parses a number in the query. It is 0 if absent.
func queryInt(r *http.Request, name string) (int, error) {
	text := r.URL.Query().Get(name)
	n, err := strconv.Atoi(cmp.Or(text, "0"))
	if err != nil {
		return 0, errors.New(name + " is not a number")
	}
	return n, nil
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	err := dec.Decode(into)
	if _, end := dec.Token(); err != nil || !errors.Is(end, io.EOF) { // nothing may follow
		http.Error(w, "body is not the expected JSON value", http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // an error means that the caller has gone
}
