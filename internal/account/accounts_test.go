package account

import (
	"context"
	"errors"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/ledger/ledgertest"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/export"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const clinicA, clinicB = tenant.ID("clinic-a"), tenant.ID("clinic-b")

// fixture is a ledger with one configured tenant, which has an account at a simulated vendor.
type fixture struct {
	vendor   *tebratest.Server
	ledger   *ledger.Ledger
	keys     *phi.Keys
	tenants  []config.Tenant
	endpoint string
}

func setup(t *testing.T) *fixture {
	t.Helper()
	account := tebratest.Account{CustomerKey: "key-of-a-test", User: "user@example.test", Password: "password-of-a-test", Practices: []tebratest.Practice{
		{ID: 1, Name: "First Practice", Zone: "America/Chicago", Patients: 3, VisitsPerDay: 10},
	}}
	vendor, err := tebratest.New(tebratest.Config{
		Seed: 1, Throttles: tebratest.Throttles{Off: true}, Accounts: []tebratest.Account{account},
	})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(vendor)
	t.Cleanup(srv.Close)
	l := ledgertest.New(t)
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	return &fixture{
		vendor: vendor, ledger: l, keys: keys, endpoint: srv.URL + tebratest.Path,
		tenants: []config.Tenant{{
			ID: clinicA.String(), TimeZone: "America/Chicago",
			Credentials: config.Credentials{
				CustomerKey: secret.Value(account.CustomerKey), User: secret.Value(account.User), Password: secret.Value(account.Password),
			},
			Practices: []config.Practice{{ID: "1", Name: "First Practice"}},
		}},
	}
}

func (f *fixture) accounts() *Accounts {
	return New(Options{Ledger: f.ledger, Keys: f.keys, Endpoint: f.endpoint, Insecure: true})
}

// expire makes the tenant's account old enough to be read again.
func (a *Accounts) expire() {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := *a.known[clinicA]
	old.read = old.read.Add(-ttl)
	a.known[clinicA] = &old
}

func TestChangedCredentialsTakeEffect(t *testing.T) {
	t.Parallel()
	f := setup(t)
	correct := f.tenants[0].Credentials
	f.tenants[0].Credentials.Password = "not-the-password"
	f.apply(t)
	a := f.accounts()
	call := func() error {
		t.Helper()
		account, err := a.Account(t.Context(), clinicA)
		if err != nil {
			t.Fatal(err)
		}
		if account.TimeZone != "America/Chicago" || len(account.Practices) != 1 {
			t.Errorf("%v, %v", account.TimeZone, account.Practices)
		}
		_, err = account.Vendor.Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "First Practice"})
		return err
	}
	refused := &tebra.Error{Code: tebra.Unauthenticated}
	if err := call(); !errors.Is(err, refused) {
		t.Fatalf("with a wrong password: %v", err)
	}
	f.tenants[0].Credentials = correct
	f.apply(t)
	if err := call(); !errors.Is(err, refused) {
		t.Errorf("the ledger is read for each call: %v", err)
	}
	a.expire()
	if err := call(); err != nil {
		t.Errorf("with the correct password: %v", err)
	}
	before := a.known[clinicA].Vendor
	a.expire()
	if err := call(); err != nil || a.known[clinicA].Vendor != before {
		t.Errorf("unchanged credentials made another client (%v)", err)
	}
}

func TestUnreadablePartsOfResponsesAreCounted(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.apply(t)
	a, err := f.accounts().Account(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	zone, err := a.ZoneOf(a.Practices[0])
	if err != nil {
		t.Fatal(err)
	}
	monday := time.Date(2026, 3, 2, 0, 0, 0, 0, zone)
	for odd, want := range map[tebratest.Oddity]codes.Code{
		"": "", tebratest.OddStart: codes.RowUnreadable, tebratest.OddLastModified: codes.RowField, tebratest.OddUndecodable: codes.TextReplaced,
	} {
		if err := f.vendor.SetOdd(slices.DeleteFunc([]tebratest.Oddity{odd}, func(o tebratest.Oddity) bool { return o == "" })...); err != nil {
			t.Fatal(err)
		}
		receiver := otlptest.New(t)
		tel, flush, err := export.Setup(t.Context(), export.Options{Service: "rounds-test", Endpoint: receiver.URL()})
		if err != nil {
			t.Fatal(err)
		}
		_, err = a.Vendor.Appointments.List(telemetry.With(t.Context(), tel), tebra.ListAppointmentsRequest{
			PracticeName: "First Practice", From: monday, To: monday, Location: zone,
		})
		if err := errors.Join(err, flush(context.WithoutCancel(t.Context()))); err != nil {
			t.Fatal(err)
		}
		points := receiver.Points("rounds.vendor.unreadable")
		if want == "" {
			if len(points) > 0 {
				t.Errorf("without oddities: %+v", points)
			}
			continue
		}
		if len(points) != 1 || points[0].Sum != 1 || points[0].Attributes["code"] != string(want) || points[0].Attributes["operation"] != "GetAppointments" {
			t.Errorf("%s: %+v", odd, points)
		}
	}
}

func TestEachPracticeHasItsZone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.tenants[0].Practices = append(f.tenants[0].Practices, config.Practice{ID: "2", Name: "Second Practice", TimeZone: "America/New_York"})
	f.apply(t)
	got, err := f.accounts().Account(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"America/Chicago", "America/New_York"} {
		if zone, err := got.ZoneOf(got.Practices[i]); err != nil || zone.String() != want {
			t.Errorf("practice %s: %v, %v, want %s", got.Practices[i].ID, zone, err, want)
		}
	}
	// Another host may have older zone data than the one that applied the file.
	if zone, err := got.ZoneOf(ledger.Practice{ID: "3", TimeZone: "America/Atlantis"}); zone != nil || !errors.Is(err, codes.UnknownZone) {
		t.Errorf("an unknown zone: %v, %v", zone, err)
	}
}

// Flow control has a tenant's weight before its first call, and a changed one once the account is
// read again.
func TestWeightsReachFlowControl(t *testing.T) {
	t.Parallel()
	f := setup(t)
	got := map[tenant.ID]int{}
	a := New(Options{
		Ledger: f.ledger, Keys: f.keys, Endpoint: f.endpoint, Insecure: true, Weigh: func(id tenant.ID, weight int) { got[id] = weight },
	})
	for _, tc := range []struct{ configured, want int }{{0, 1}, {7, 7}} {
		f.tenants[0].Weight = tc.configured
		f.apply(t)
		if _, err := a.Account(t.Context(), clinicA); err != nil || got[clinicA] != tc.want {
			t.Errorf("configured with %d: %v, %v; want %d", tc.configured, got, err, tc.want)
		}
		a.expire()
	}
}

// A name that a worker adopts takes effect at once there, and elsewhere when the account is read
// again.
func TestReloadReadsTheLedger(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.apply(t)
	a, other := f.accounts(), f.accounts()
	name := func(read func(context.Context, tenant.ID) (*Account, error)) string {
		t.Helper()
		account, err := read(t.Context(), clinicA)
		if err != nil {
			t.Fatal(err)
		}
		return account.Practices[0].Name
	}
	if got := name(a.Account) + name(other.Account); got != "First PracticeFirst Practice" {
		t.Errorf("before: %s", got)
	}
	vendor := a.known[clinicA].Vendor
	if _, err := f.ledger.AdoptName(t.Context(), clinicA, "1", "First Practice", "Premier Practice"); err != nil {
		t.Fatal(err)
	}
	if before, after, at := name(a.Account), name(a.Reload), name(a.Account); before != "First Practice" || after != "Premier Practice" || at != after {
		t.Errorf("the worker that reloads uses %s, %s, %s", before, after, at)
	}
	if a.known[clinicA].Vendor != vendor {
		t.Error("another name made another client")
	}
	f.apply(t) // as at a restart
	other.expire()
	if got := name(other.Account); got != "Premier Practice" {
		t.Errorf("another worker uses %s", got)
	}
	if err := f.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if got := name(a.Reload); got != "Premier Practice" {
		t.Errorf("while the ledger is unreachable: %s", got)
	}
}

func TestAccountsOutliveTheLedger(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.apply(t)
	a := f.accounts()
	first, err := a.Account(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Account(t.Context(), "clinic-z"); err == nil || tasks.CodeOf(err) != "unknown_tenant" {
		t.Errorf("unknown tenant: %v", err)
	}
	if err := f.ledger.Close(); err != nil {
		t.Fatal(err)
	}
	a.expire()
	again, err := a.Account(t.Context(), clinicA)
	if err != nil || again.Vendor != first.Vendor {
		t.Errorf("while the ledger is unreachable: %v", err)
	}
	if time.Since(a.known[clinicA].read) > ttl/2 {
		t.Error("every task waits for an unreachable ledger")
	}
	if _, err := a.Account(t.Context(), "clinic-z"); err == nil || tasks.CodeOf(err) == "unknown_tenant" {
		t.Errorf("an unreachable ledger makes a tenant unknown: %v", err)
	}
}

// The tasks of a tenant with a damaged row fail with a code and are retried; other tenants work on.
func TestDamagedTenantFailsAlone(t *testing.T) {
	t.Parallel()
	f := setup(t)
	other := f.tenants[0]
	other.ID = clinicB.String()
	f.tenants = append(f.tenants, other)
	f.apply(t)
	row, err := f.ledger.Tenant(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	healthy, err := f.ledger.Tenant(t.Context(), clinicB)
	if err != nil {
		t.Fatal(err)
	}
	row.Credentials = healthy.Credentials
	if _, err := f.ledger.ApplyTenants(t.Context(), []ledger.Tenant{row}); err != nil {
		t.Fatal(err)
	}
	a := f.accounts()
	_, err = a.Account(t.Context(), clinicA)
	if code := tasks.CodeOf(err); code != "credentials_do_not_open" {
		t.Errorf("another tenant's credentials: %v", err)
	}
	var permanent interface{ Permanent() bool }
	if errors.As(err, &permanent) && permanent.Permanent() {
		t.Error("an error that an operator can correct is permanent")
	}
	if _, err := a.Account(t.Context(), clinicB); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	f.apply(t)
	if _, err := a.Account(t.Context(), clinicA); err != nil {
		t.Errorf("after the credentials were configured again: %v", err)
	}
}
