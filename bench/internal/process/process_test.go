package process

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// echo reports its settings when it starts and when it ends.
var echo = Role{Name: "echo", Run: func(ctx context.Context, settings []byte, report func(any) error) error {
	var text string
	if err := json.Unmarshal(settings, &text); err != nil {
		return err
	}
	if text == "fail" {
		return errors.New("told to fail")
	}
	if err := report(text); err != nil {
		return err
	}
	<-ctx.Done()
	return report(text + " and goodbye")
}}

func TestMain(m *testing.M) {
	if code, ran := RunRole(context.Background(), echo, clockRole); ran {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

func TestProcess(t *testing.T) {
	t.Parallel()
	var ready, result string
	p, err := Start(t.Context(), echo.Name, "hello", &ready)
	if err != nil || ready != "hello" {
		t.Fatalf("%q, %v", ready, err)
	}
	if err := p.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := p.FreezeFor(time.Millisecond); err != nil { // continues
		t.Fatal(err)
	}
	if err := p.Stop(t.Context(), &result); err != nil || result != "hello and goodbye" {
		t.Errorf("%q, %v", result, err)
	}
	if err := p.Kill(); err != nil {
		t.Errorf("kill a process that has ended: %v", err)
	}
	if err := p.Freeze(); err == nil {
		t.Error("a process that has ended was frozen")
	}
}

func TestProcessThatFails(t *testing.T) {
	t.Parallel()
	if _, err := Start(t.Context(), echo.Name, "fail", nil); err == nil || !strings.Contains(err.Error(), "told to fail") {
		t.Errorf("error %v", err)
	}
	if _, err := Start(t.Context(), "unknown", "", nil); err == nil || !strings.Contains(err.Error(), "unknown role") {
		t.Errorf("error %v", err)
	}
	frozen, err := Start(t.Context(), echo.Name, "hello", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(frozen.Freeze(), frozen.Kill()); err != nil {
		t.Errorf("kill a frozen process: %v", err)
	}
}

// Each account has its own limit, which can change.
func TestVendorLimitsEachAccount(t *testing.T) {
	t.Parallel()
	a := Account{Tenant: "a", Patients: 2, Interval: time.Minute}
	h, err := vendorHandler([]Account{a, {Tenant: "b", Patients: 2, Interval: time.Minute}})
	if err != nil {
		t.Fatal(err)
	}
	v, stop := serveVendor(t, h)
	defer stop()
	call := func(account, patient string) {
		t.Helper()
		read(t, v, account, patient)
	}
	call("a", Patient(0))
	call("a", Patient(1))
	call("b", Patient(0))
	a.Interval = 0
	if err := v.SetLimits(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	call("a", Patient(1))
	for tenant, want := range map[string][2]int{"a": {2, 1}, "b": {1, 0}} {
		count, err := v.Count(t.Context(), tenant)
		if err != nil || [2]int{count.OK, count.Throttled} != want {
			t.Errorf("%s: %+v, %v", tenant, count, err)
		}
	}
	asked, err := v.Asked(t.Context(), "a")
	if err != nil || len(asked) != 3 || asked[2].Patient != Patient(1) {
		t.Errorf("asked for %v, %v", asked, err)
	}
	calls, err := v.Calls(t.Context(), "a")
	if err != nil || len(calls) != 3 {
		t.Errorf("%d calls, %v", len(calls), err)
	}
}
