package tebratest

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"
)

// controlVisit is a Visit in JSON. It names nobody: whoever drives the simulator needs identifiers, not people.
type controlVisit struct {
	Appointment string    `json:"appointment"`
	Patient     string    `json:"patient"`
	Provider    string    `json:"provider"`
	Start       time.Time `json:"start"`
	Status      string    `json:"status"`
	Modified    time.Time `json:"modified"`
}

type controlPractice struct {
	Account  int    `json:"account"` // CustomerId, as in calls
	ID       int    `json:"id"`
	Name     string `json:"name"`
	Zone     string `json:"zone"`
	Patients int    `json:"patients"`
}

// controlOrder is the body of every POST: each route takes the members it needs.
type controlOrder struct {
	Appointment string    `json:"appointment"`
	Patient     string    `json:"patient"`
	Status      string    `json:"status"`
	Phone       string    `json:"phone"`
	Start       time.Time `json:"start"`
	On          bool      `json:"on"`
}

// control mounts the surface for other processes. Reads are GET, and return JSON; orders are POST with a JSON object, and
// return 204. Unknown records are 404.
//
//	GET  /control/calls?after=SEQ       GET  /control/counts       GET /control/practices
//	GET  /control/appointments?account=CUSTOMER_ID&practice=ID&day=2026-02-24
//	POST /control/status {appointment, status}     POST /control/cancel {appointment}     POST /control/delete {appointment}
//	POST /control/move   {appointment, start}      POST /control/phone  {patient, phone}
//	POST /control/outage {on}                      POST /control/fail-patient {patient, on}
//	GET  /control/faults                           PUT  /control/faults   (all of Faults)
func (s *Server) control(mux *http.ServeMux) {
	mux.HandleFunc("GET /control/calls", func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.Atoi(r.URL.Query().Get("after"))
		if err != nil && r.URL.Query().Has("after") {
			http.Error(w, "after is not a number", http.StatusBadRequest)
			return
		}
		writeJSON(w, s.Calls(after))
	})
	mux.HandleFunc("GET /control/counts", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Counts()) })
	mux.HandleFunc("GET /control/practices", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.practices()) })
	mux.HandleFunc("GET /control/faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, s.Faults()) })
	mux.HandleFunc("GET /control/appointments", s.controlAppointments)
	mux.HandleFunc("PUT /control/faults", func(w http.ResponseWriter, r *http.Request) {
		var f Faults
		if readJSON(w, r, &f) {
			s.SetFaults(f)
			w.WriteHeader(http.StatusNoContent)
		}
	})
	order := func(name string, do func(o controlOrder) error) {
		mux.HandleFunc("POST /control/"+name, func(w http.ResponseWriter, r *http.Request) { take(w, r, do) })
	}
	order("status", func(o controlOrder) error {
		if o.Status == "" {
			return errIncomplete
		}
		return s.atAppointment(o, func(c *Clinic) error { return c.SetStatus(o.Appointment, o.Status) })
	})
	order("cancel", func(o controlOrder) error {
		return s.atAppointment(o, func(c *Clinic) error { return c.Cancel(o.Appointment) })
	})
	order("delete", func(o controlOrder) error {
		return s.atAppointment(o, func(c *Clinic) error { return c.Delete(o.Appointment) })
	})
	order("move", func(o controlOrder) error {
		if o.Start.IsZero() {
			return errIncomplete
		}
		return s.atAppointment(o, func(c *Clinic) error { return c.Move(o.Appointment, o.Start) })
	})
	order("phone", func(o controlOrder) error {
		return s.first(func(c *Clinic) error { return c.SetPhone(o.Patient, o.Phone) })
	})
	order("outage", func(o controlOrder) error { s.Outage(o.On); return nil })
	order("fail-patient", func(o controlOrder) error {
		if o.Patient == "" {
			return errIncomplete
		}
		s.FailPatient(o.Patient, o.On)
		return nil
	})
}

var errIncomplete = errors.New("order is incomplete")

func take(w http.ResponseWriter, r *http.Request, do func(controlOrder) error) {
	var o controlOrder
	if !readJSON(w, r, &o) {
		return
	}
	switch err := do(o); {
	case errors.Is(err, ErrNoSuch):
		http.Error(w, "no such record", http.StatusNotFound)
	case err != nil:
		http.Error(w, err.Error(), http.StatusBadRequest)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// first tries every clinic until one has the record. Identifiers are unique across all of them.
func (s *Server) first(do func(*Clinic) error) error {
	for _, c := range s.clinics {
		if err := do(c); !errors.Is(err, ErrNoSuch) {
			return err
		}
	}
	return ErrNoSuch
}

func (s *Server) atAppointment(o controlOrder, do func(*Clinic) error) error {
	if o.Appointment == "" {
		return errIncomplete
	}
	return s.first(do)
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
	q := r.URL.Query()
	for _, c := range s.clinics {
		if q.Get("practice") != strconv.Itoa(c.practice.ID) || q.Has("account") && q.Get("account") != strconv.Itoa(c.account.id) {
			continue
		}
		day := c.now()
		if q.Has("day") {
			var err error
			if day, err = time.ParseInLocation(time.DateOnly, q.Get("day"), c.zone); err != nil {
				http.Error(w, "day is not a date", http.StatusBadRequest)
				return
			}
		}
		all := []controlVisit{}
		for _, v := range c.Appointments(day) {
			all = append(all, controlVisit{v.ID, v.PatientID, v.ProviderID, v.Start, v.Status, v.Modified})
		}
		writeJSON(w, all)
		return
	}
	http.Error(w, "no such practice", http.StatusNotFound)
}

func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		http.Error(w, "body is not the JSON object expected", http.StatusBadRequest)
		return false
	}
	return true
}

func writeJSON(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // a caller who left has no use for an error
}
