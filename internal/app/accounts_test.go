package app

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/tasks"
)

// accounts are those of a worker in the house, without a gate.
func (h *house) accounts(tools *Tools) *accounts {
	return &accounts{ledger: tools.Ledger, keys: tools.Keys, endpoint: h.endpoint, insecure: true}
}

// age makes what is known of the tenant's account old enough to be read again.
func (a *accounts) age() {
	a.mu.Lock()
	defer a.mu.Unlock()
	old := *a.known[clinicA]
	old.read = old.read.Add(-accountTTL)
	a.known[clinicA] = &old
}

// apply writes the house's tenants into the ledger, as a process does at its start.
func (h *house) apply(t *testing.T, tools *Tools) {
	t.Helper()
	known, err := tools.base.knownTenants(t.Context())
	if err == nil {
		err = tools.base.applyTenants(t.Context(), h.settings.Tenants, known)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestChangedCredentialsTakeEffect(t *testing.T) {
	t.Parallel()
	h := build(t, func(c *tebratest.Config) { c.Throttles.Off = true })
	right := h.settings.Tenants[0].Credentials
	h.settings.Tenants[0].Credentials.Password = "not-the-password"
	tools := h.tools(t)
	a := h.accounts(tools)
	call := func() error {
		t.Helper()
		account, err := a.account(t.Context(), clinicA)
		if err != nil {
			t.Fatal(err)
		}
		if account.Zone.String() != "America/Chicago" || len(account.Practices) != 2 {
			t.Errorf("%v, %v", account.Zone, account.Practices)
		}
		_, _, err = account.Vendor.Directory.Providers(t.Context(), tebra.ProvidersRequest{PracticeName: "First Practice"})
		return err
	}
	refused := &tebra.Error{Code: tebra.Unauthenticated}
	if err := call(); !errors.Is(err, refused) {
		t.Fatalf("with a wrong password: %v", err)
	}
	h.settings.Tenants[0].Credentials = right
	h.apply(t, tools)
	if err := call(); !errors.Is(err, refused) {
		t.Errorf("the ledger is asked for each call: %v", err)
	}
	a.age()
	if err := call(); err != nil {
		t.Errorf("with the right password: %v", err)
	}
	before := a.known[clinicA].Vendor
	a.age()
	if err := call(); err != nil || a.known[clinicA].Vendor != before {
		t.Errorf("unchanged credentials made another client (%v)", err)
	}
}

func TestUnchangedTenantsAreNotWritten(t *testing.T) {
	t.Parallel()
	h := build(t)
	tools := h.tools(t)
	sealed := func() []byte {
		t.Helper()
		row, err := tools.Ledger.Tenant(t.Context(), clinicA)
		if err != nil {
			t.Fatal(err)
		}
		return row.Credentials
	}
	before := sealed()
	h.apply(t, tools)
	if !bytes.Equal(before, sealed()) {
		t.Error("the same credentials were sealed anew")
	}
	if bytes.Contains(before, []byte(h.settings.Tenants[0].Credentials.Password.Reveal())) {
		t.Error("the ledger holds a password")
	}
}

func TestAccountsWithoutALedger(t *testing.T) {
	t.Parallel()
	h := build(t)
	tools := h.tools(t)
	a := h.accounts(tools)
	first, err := a.account(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.account(t.Context(), "clinic-z"); err == nil || tasks.CodeOf(err) != "unknown_tenant" {
		t.Errorf("unknown tenant: %v", err)
	}
	if err := tools.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	a.age()
	again, err := a.account(t.Context(), clinicA)
	if err != nil || again.Vendor != first.Vendor {
		t.Errorf("while the ledger is away: %v", err)
	}
	if time.Since(a.known[clinicA].read) > accountTTL/2 {
		t.Error("every task waits for a ledger that is away")
	}
	if _, err := a.account(t.Context(), "clinic-z"); err == nil || tasks.CodeOf(err) == "unknown_tenant" {
		t.Errorf("a ledger that is away knows nobody: %v", err)
	}
}

// A tenant whose row was damaged fails by itself: with a word, again and again at the queue's pace, and not for good.
func TestDamagedTenants(t *testing.T) {
	t.Parallel()
	h := build(t)
	other := h.settings.Tenants[0]
	other.ID = "clinic-b"
	h.settings.Tenants = append(h.settings.Tenants, other)
	tools := h.tools(t)
	damage := func(change func(*ledger.Tenant)) *accounts {
		t.Helper()
		row, err := tools.Ledger.Tenant(t.Context(), clinicA)
		if err != nil {
			t.Fatal(err)
		}
		change(&row)
		if _, err := tools.Ledger.ApplyTenants(t.Context(), []ledger.Tenant{row}); err != nil {
			t.Fatal(err)
		}
		return h.accounts(tools)
	}
	cross, err := tools.Ledger.Tenant(t.Context(), "clinic-b")
	if err != nil {
		t.Fatal(err)
	}
	a := damage(func(r *ledger.Tenant) { r.Credentials = cross.Credentials })
	_, err = a.account(t.Context(), clinicA)
	if code := tasks.CodeOf(err); code != "credentials_do_not_open" {
		t.Errorf("another tenant's credentials: %v", err)
	}
	var permanent interface{ Permanent() bool }
	if errors.As(err, &permanent) && permanent.Permanent() {
		t.Error("what an operator mends is for good")
	}
	if _, err := a.account(t.Context(), "clinic-b"); err != nil {
		t.Errorf("the other tenant: %v", err)
	}
	h.apply(t, tools)
	if _, err := a.account(t.Context(), clinicA); err != nil {
		t.Errorf("after the credentials were given anew: %v", err)
	}
}

// A process with another deployment's keyset must not seal anything with it: nobody else could open that.
func TestForeignKeysetChangesNothing(t *testing.T) {
	t.Parallel()
	h := build(t)
	tools := h.tools(t)
	before, err := tools.Ledger.Tenant(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	keys, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	keyset, err := keys.JSON()
	if err != nil {
		t.Fatal(err)
	}
	var log lines
	o := h.options()
	o.Config.Keyset, o.Logger = secret.Value(keyset), slog.New(slog.NewTextHandler(&log, nil))
	if w, err := NewWorker(t.Context(), o); !errors.Is(err, errKeyset) {
		if err == nil {
			_ = w.Close(context.Background())
		}
		t.Errorf("a foreign keyset: %v", err)
	}
	if !bytes.Contains(log.bytes(), []byte("tenant=clinic-a")) {
		t.Error("the log does not name the tenant")
	}
	after, err := tools.Ledger.Tenant(t.Context(), clinicA)
	if err != nil || !bytes.Equal(before.Credentials, after.Credentials) {
		t.Errorf("the credentials were sealed anew (%v)", err)
	}
}

func TestDataKeys(t *testing.T) {
	t.Parallel()
	h := build(t)
	tools := h.tools(t)
	one, two := &dataKeys{ledger: tools.Ledger, keys: tools.Keys}, &dataKeys{ledger: tools.Ledger, keys: tools.Keys}
	key, err := one.key(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := key.Seal([]byte("value"), []byte("key"))
	if err != nil {
		t.Fatal(err)
	}
	same, err := two.key(t.Context(), clinicA)
	if err != nil {
		t.Fatal(err)
	}
	if plain, err := same.Open(sealed, []byte("key")); err != nil || string(plain) != "value" {
		t.Errorf("two processes have two keys: %v", err)
	}
	if _, err := one.key(t.Context(), "clinic-z"); !errors.Is(err, ledger.ErrNotFound) {
		t.Errorf("a tenant that is not known: %v", err)
	}
	foreign, err := phi.Generate()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := (&dataKeys{ledger: tools.Ledger, keys: foreign}).key(t.Context(), clinicA); !errors.Is(err, phi.ErrOpen) {
		t.Errorf("a foreign keyset: %v", err)
	}
	if err := tools.Ledger.Close(); err != nil {
		t.Fatal(err)
	}
	if again, err := one.key(t.Context(), clinicA); err != nil || again.ID() != key.ID() {
		t.Errorf("while the ledger is away: %v", err)
	}
	if _, err := (&dataKeys{ledger: tools.Ledger, keys: tools.Keys}).key(t.Context(), clinicA); err == nil {
		t.Error("a process that never read the key has one")
	}
}
