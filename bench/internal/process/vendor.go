package process

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

// Operation is the operation that the accounts limit: tasks that read one patient call it once
// each.
const Operation = "GetPatient"

// PracticeID and PracticeName are those of the one practice that each account has.
const (
	PracticeID   = "1"
	PracticeName = "Example Practice"
)

// Account is one customer of the simulated vendor, with limits and latency of its own.
type Account struct {
	Tenant   string
	Patients int
	// Interval is what the vendor names. The true spacing is Interval + Margin; only the simulator
	// has it.
	Interval, Margin time.Duration
	Latency          time.Duration // of every call
	// WrongLogin gives the tenant another password than the account's.
	WrongLogin bool
}

// Spacing returns how far apart the vendor requires two calls to be.
func (a Account) Spacing() time.Duration { return a.Interval + a.Margin }

func (a Account) throttles() tebratest.Throttles {
	return tebratest.Throttles{Intervals: map[string]time.Duration{Operation: a.Interval}, Margin: a.Margin}
}

func (a Account) login() tebratest.Account {
	return tebratest.Account{
		CustomerKey: "key-of-" + a.Tenant, User: a.Tenant + "@example.test", Password: "password-of-" + a.Tenant,
		Practices: []tebratest.Practice{{ID: 1, Name: PracticeName, Zone: "America/Chicago", Patients: a.Patients, VisitsPerDay: 1}},
	}
}

// Credentials returns what a client of the account authenticates with.
func (a Account) Credentials() tebra.Credentials { return a.login().Credentials() }

// Patient returns the number of an account's n-th patient, from 0.
func Patient(n int) string { return strconv.Itoa(1_000_001 + n) }

// VendorRole serves the simulator: one server for each account behind one endpoint, so that each
// account has its own limits.
var VendorRole = Role{Name: "vendor", Run: runVendor}

func runVendor(ctx context.Context, settings []byte, report func(any) error) error {
	var accounts []Account
	if err := json.Unmarshal(settings, &accounts); err != nil {
		return err
	}
	mux, err := vendorHandler(accounts)
	if err != nil {
		return err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := report(l.Addr().String()); err != nil {
		return err
	}
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// Asked is a call as it passed the endpoint, before the simulator decided about it.
type Asked struct {
	At      time.Time `json:"at"`
	Patient string    `json:"patient"` // synthetic, as all of the simulator's; empty for a list
	// Until is the end of the range of days of a list of appointments, as the request has it.
	Until string `json:"until"`
}

// askedLog records what each call asks for. The simulator's log does not.
type askedLog struct {
	mu    sync.Mutex
	calls []Asked
}

func (l *askedLog) add(a Asked) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls = append(l.calls, a)
}

func vendorHandler(accounts []Account) (http.Handler, error) {
	mux := http.NewServeMux()
	byKey := map[string]http.Handler{}
	logs := map[string]*askedLog{}
	for _, a := range accounts {
		s, err := tebratest.New(tebratest.Config{
			Seed: 1, Accounts: []tebratest.Account{a.login()}, Throttles: a.throttles(), Latency: tebratest.Latency{P50: a.Latency},
		})
		if err != nil {
			return nil, err
		}
		key, asked := a.login().CustomerKey, &askedLog{}
		byKey[key], logs[key] = s, asked
		mux.Handle("/"+a.Tenant+"/control/", http.StripPrefix("/"+a.Tenant, s))
		mux.HandleFunc("GET /"+a.Tenant+"/asked", func(w http.ResponseWriter, _ *http.Request) {
			asked.mu.Lock()
			defer asked.mu.Unlock()
			_ = json.NewEncoder(w).Encode(asked.calls) // an error means that the caller has gone
		})
	}
	mux.HandleFunc("POST "+tebratest.Path, func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
		if err != nil {
			return
		}
		key := element(body, "CustomerKey")
		s := byKey[key]
		if s == nil {
			http.Error(w, "unknown account", http.StatusBadRequest)
			return
		}
		if a := (Asked{At: time.Now(), Patient: element(body, "PatientID"), Until: element(body, "EndDate")}); a.Patient != "" || a.Until != "" {
			logs[key].add(a)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		s.ServeHTTP(w, r)
	})
	return mux, nil
}

// element returns the text of the first element with a name, whatever its prefix.
func element(body []byte, name string) string {
	_, rest, found := bytes.Cut(body, []byte(name+">"))
	if !found {
		return ""
	}
	text, _, _ := bytes.Cut(rest, []byte("<"))
	return string(bytes.TrimSpace(text))
}

// Vendor is the simulator's process.
type Vendor struct {
	*Process

	addr string
	http *http.Client
}

// StartVendor starts the simulator.
func StartVendor(ctx context.Context, accounts []Account) (*Vendor, error) {
	v := &Vendor{http: &http.Client{Timeout: time.Minute}}
	p, err := Start(ctx, VendorRole.Name, accounts, &v.addr)
	v.Process = p
	return v, err
}

// Endpoint is the address of the vendor's service.
func (v *Vendor) Endpoint() string { return "http://" + v.addr + tebratest.Path }

// Calls returns the simulator's log of an account's calls that have ended.
func (v *Vendor) Calls(ctx context.Context, tenant string) (calls []tebratest.Call, err error) {
	return calls, v.do(ctx, http.MethodGet, tenant+"/control/calls", nil, &calls)
}

// Count returns how many calls of Operation an account has made.
func (v *Vendor) Count(ctx context.Context, tenant string) (tebratest.Count, error) {
	counts := map[string]tebratest.Count{}
	err := v.do(ctx, http.MethodGet, tenant+"/control/counts", nil, &counts)
	return counts[Operation], err
}

// Asked returns what an account's calls asked for.
func (v *Vendor) Asked(ctx context.Context, tenant string) (asked []Asked, err error) {
	return asked, v.do(ctx, http.MethodGet, tenant+"/asked", nil, &asked)
}

// SetLimits replaces an account's limits for later calls.
func (v *Vendor) SetLimits(ctx context.Context, a Account) error {
	return v.do(ctx, http.MethodPut, a.Tenant+"/control/throttles", a.throttles(), nil)
}

// SetFaults replaces the faults of an account's later calls.
func (v *Vendor) SetFaults(ctx context.Context, tenant string, f tebratest.Faults) error {
	return v.do(ctx, http.MethodPut, tenant+"/control/faults", f, nil)
}

func (v *Vendor) do(ctx context.Context, method, path string, body, into any) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, method, "http://"+v.addr+"/"+path, bytes.NewReader(data))
	if err != nil {
		return err
	}
	resp, err := v.http.Do(r)
	if err != nil {
		return fmt.Errorf("simulator: %w", err)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode >= http.StatusBadRequest {
		return fmt.Errorf("simulator: %s of %s: status %d", method, path, resp.StatusCode)
	}
	if into == nil {
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}
