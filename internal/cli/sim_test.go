package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/access"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/progtest"
)

// startSim runs sim on a free port until the returned function is called, which returns the exit
// code.
func startSim(t *testing.T, vars map[string]string, args ...string) (log *progtest.LogBuffer, stop func() int) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	log = progtest.NewLogBuffer("interrupt to stop")
	code := make(chan int, 1)
	go func() {
		code <- Run(ctx, append([]string{"sim", "--addr", "127.0.0.1:0"}, args...), getenv(vars), strings.NewReader(""), &bytes.Buffer{}, log)
	}()
	ended := sync.OnceValue(func() int { cancel(); return <-code })
	t.Cleanup(func() { ended() })
	log.Wait(t)
	return log, ended
}

// environment reads a rounds.env file with a shell, as an operator does.
func environment(t *testing.T, file string) map[string]string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$1" && env -0`, "sh", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	vars := map[string]string{}
	for entry := range strings.SplitSeq(string(out), "\x00") {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, "ROUNDS_") {
			vars[name] = value
		}
	}
	return vars
}

func TestSimWritesUsableEnvironment(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "it's here") // the path needs quoting
	log, stop := startSim(t, nil, "--write-config", dir, "--accounts", "2", "--practices", "2", "--patients", "20", "--visits", "8")
	vars := environment(t, filepath.Join(dir, "rounds.env"))

	worker, err := config.LoadWorker(getenv(vars))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.LoadScheduler(getenv(vars)); err != nil {
		t.Fatal(err)
	}
	gateway, err := config.LoadGateway(getenv(vars))
	if err != nil {
		t.Fatal(err)
	}
	if k := gateway.Keys[0]; len(gateway.Keys) != 1 || k.Tenant.String() != worker.Tenants[0].ID || k.Digest != access.DigestOf(vars["ROUNDS_API_KEY"]) ||
		vars["ROUNDS_URL"] != "http://"+gateway.Addr {
		t.Errorf("keys %v for %v", gateway.Keys, vars)
	}
	if !strings.Contains(log.String(), worker.Endpoint) {
		t.Errorf("the endpoint is missing from:\n%s", log)
	}
	if _, err := phi.Parse([]byte(worker.Keyset.Reveal())); err != nil {
		t.Errorf("keyset: %v", err)
	}
	zones := map[string]bool{}
	for _, tenant := range worker.Tenants {
		zones[tenant.TimeZone] = true
		callAsTenant(t, worker.Endpoint, tenant)
	}
	if len(worker.Tenants) != 2 || len(zones) != 2 {
		t.Errorf("%d tenants in %d zones, want 2 in 2", len(worker.Tenants), len(zones))
	}
	if code := stop(); code != exitOK {
		t.Errorf("exit %d after an interrupt, want 0", code)
	}
}

// callAsTenant calls the simulator with the tenant's credentials.
func callAsTenant(t *testing.T, endpoint string, tenant config.Tenant) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	client, err := tebra.New(tebra.Options{
		Endpoint: endpoint, Insecure: true, Account: tenant.ID, HTTPClient: &http.Client{Transport: transport},
		Credentials: tebra.Credentials{
			CustomerKey: phi.Text(tenant.Credentials.CustomerKey.Reveal()), User: phi.Text(tenant.Credentials.User.Reveal()),
			Password: phi.Text(tenant.Credentials.Password.Reveal()),
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	zone, err := time.LoadLocation(tenant.TimeZone)
	if err != nil {
		t.Fatal(err)
	}
	today := time.Now().In(zone)
	list, err := client.Appointments.List(t.Context(), tebra.ListAppointmentsRequest{
		PracticeName: tenant.Practices[0].Name, From: today, To: today, Location: zone,
	})
	if err != nil || len(list.Rows) != 8 {
		t.Errorf("%s: %d visits, %v; want the configured 8", tenant.ID, len(list.Rows), err)
	}
	transport.CloseIdleConnections()
}

func TestSimTakesRedisFromTheEnvironment(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	given := map[string]string{"ROUNDS_QUEUE_REDIS": "redis://127.0.0.1:7001/0", "ROUNDS_CACHE_REDIS": "redis://127.0.0.1:7002/0"}
	startSim(t, given, "--write-config", dir, "--patients", "5", "--visits", "1")
	vars := environment(t, filepath.Join(dir, "rounds.env"))
	for name, want := range given {
		if vars[name] != want {
			t.Errorf("%s is %q, want %q", name, vars[name], want)
		}
	}
}

func TestSimKeepsExistingKeyset(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := startSim(t, nil, "--write-config", dir, "--patients", "5", "--visits", "1")
	stop()
	first, err := os.ReadFile(filepath.Join(dir, "rounds.keys"))
	if err != nil {
		t.Fatal(err)
	}
	startSim(t, nil, "--write-config", dir, "--patients", "5", "--visits", "1")
	second, err := os.ReadFile(filepath.Join(dir, "rounds.keys"))
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("the keyset changed (%v)", err)
	}
}

func TestSimFilesAreReadableByOwnerOnly(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "local")
	startSim(t, nil, "--write-config", dir, "--patients", "5", "--visits", "1")
	for name, want := range map[string]os.FileMode{".": 0o700, "rounds.env": 0o600, "rounds.keys": 0o600, "tenants.yaml": 0o600} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v; want mode %v", name, info.Mode().Perm(), err, want)
		}
	}
}

func TestSimRefusesOutOfRangeFlags(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"accounts": {"--accounts", "1001"}, "practices": {"--practices", "0"}, "patients": {"--patients", "900001"}, "visits": {"--visits", "901"},
		"total practices": {"--accounts", "8", "--practices", "88"}, "latency": {"--latency", "some"},
		"oddity": {"--odd", "control-characters,unknown"}, "zone": {"--zones", "America/Chicago,Local"},
	} {
		if o := rounds(t, nil, append([]string{"sim", "--addr", "127.0.0.1:0"}, args...)...); o.code != exitUsage || o.stdout != "" {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestSimWritesZonesOfPractices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	_, stop := startSim(t, nil, "--write-config", dir, "--zones", "America/Chicago,America/Denver,Asia/Kathmandu", "--practices", "4")
	defer stop()
	worker, err := config.LoadWorker(getenv(environment(t, filepath.Join(dir, "rounds.env"))))
	if err != nil || len(worker.Tenants) != 1 || worker.Tenants[0].TimeZone != "America/Chicago" {
		t.Fatalf("%+v, %v", worker.Tenants, err)
	}
	for i, want := range []string{"", "America/Denver", "Asia/Kathmandu", ""} {
		if got := worker.Tenants[0].Practices[i].TimeZone; got != want {
			t.Errorf("practice %d is in %q, want %q", i+1, got, want)
		}
	}
}

func TestSimSwitchesOdditiesOn(t *testing.T) {
	t.Parallel()
	all := document[struct{ Oddities []tebratest.OddityInfo }](t, rounds(t, nil, "sim", "oddities", "--json").stdout).Oddities
	if text := rounds(t, nil, "sim", "oddities").stdout; len(all) == 0 || strings.Count(text, "\n") != len(all)+1 {
		t.Errorf("%d oddities as JSON, and as text\n%s", len(all), text)
	}
	for flag, want := range map[string]int{"all": len(all), "control-characters,bad-last-modified": 2} {
		log, _ := startSim(t, nil, "--odd", flag, "--patients", "5", "--visits", "1")
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet,
			"http://"+regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(log.String())+"/control/odd", nil)
		if err != nil {
			t.Fatal(err)
		}
		transport := &http.Transport{DisableKeepAlives: true}
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		var on []tebratest.Oddity
		if err := errors.Join(json.NewDecoder(resp.Body).Decode(&on), resp.Body.Close()); err != nil || len(on) != want {
			t.Errorf("--odd %s: %v, %v", flag, on, err)
		}
	}
}

func TestSimAddressInUse(t *testing.T) {
	t.Parallel()
	log, _ := startSim(t, nil, "--patients", "5", "--visits", "1")
	addr := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(log.String())
	if o := rounds(t, nil, "sim", "--addr", addr, "--patients", "5", "--visits", "1"); o.code != exitConflict {
		t.Errorf("%+v", o)
	}
}

func TestSimCaptureCoversOperations(t *testing.T) {
	t.Parallel()
	doc := document[struct{ Operations []simOperation }](t, rounds(t, nil, "sim", "operations", "--json").stdout)
	names := strings.Fields(rounds(t, nil, "sim", "operations").stdout)
	dir := filepath.Join(t.TempDir(), "captured")
	if o := rounds(t, nil, "sim", "capture", dir); o.code != exitOK {
		t.Fatalf("%+v", o)
	}
	var fromJSON, files []string
	for _, op := range doc.Operations {
		fromJSON = append(fromJSON, op.Name)
		if op.IntervalMS <= 0 || op.TimeoutMS <= 0 || op.Class == "" {
			t.Errorf("%+v is incomplete", op)
		}
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.request.xml"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		files = append(files, strings.TrimSuffix(filepath.Base(f), ".request.xml"))
		if _, err := os.Stat(strings.Replace(f, ".request.", ".response.", 1)); err != nil {
			t.Error(err)
		}
	}
	if diff := cmp.Diff(names, fromJSON); diff != "" || len(names) == 0 {
		t.Errorf("text and JSON differ:\n%s", diff)
	}
	if diff := cmp.Diff(names, files); diff != "" {
		t.Errorf("listed and captured differ:\n%s", diff)
	}
}
