package deploytest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/workflow-bolt/rounds/internal/pgtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// build builds the programs and returns their folder.
func build(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", dir+"/", "./cmd/...")
	cmd.Dir = repoRoot
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the programs: %v\n%s", err, out)
	}
	return dir
}

// stack is the stack of docker-compose.yml as processes of this machine.
type stack struct {
	project      *types.Project
	bin, config  string // folders
	queue, cache *redistest.Server
	replace      *strings.Replacer // from addresses and paths in the compose file to those of this machine
	addr         map[string]string // of each service's probes and pages
}

// newStack starts the stores and the simulator.
func newStack(t *testing.T, bin string) *stack {
	t.Helper()
	p, err := load(t.Context(), types.Mapping{}, read(t, "docker-compose.yml"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := filepath.Abs(repoRoot)
	if err != nil {
		t.Fatal(err)
	}
	s := &stack{project: p, bin: bin, config: t.TempDir(), queue: start(t, "queue"), cache: start(t, "cache"), addr: map[string]string{}}
	swap := []string{
		"postgres://rounds:rounds-dev@postgres:5432/rounds?sslmode=disable", pgtest.URL(t),
		"/config", s.config,
		"/etc/rounds/", filepath.Join(root, "deploy", "compose") + "/",
		"0.0.0.0:8095", free(t),
	}
	swap = append(swap, "simulator:8095", swap[len(swap)-1])
	for _, name := range []string{"worker", "scheduler", "gateway", "monitor", "operator"} {
		swap = append(swap, "redis://"+name+":"+name+"-dev@redis-queue:6379", s.queue.URL(name, name+"-dev"),
			"redis://"+name+":"+name+"-dev@redis-cache:6379", s.cache.URL(name, name+"-dev"))
	}
	for _, port := range []string{"8080", "8081", "8082", "8083", "8084", "8090"} {
		s.addr[port] = free(t)
	}
	for port, addr := range s.addr {
		swap = append(swap, "127.0.0.1:"+port, addr, "http://127.0.0.1:"+port, "http://"+addr)
	}
	s.addr["8095"] = swap[7]
	s.replace = strings.NewReplacer(append(swap, "127.0.0.1:8095", swap[7])...)
	return s
}

// free returns an unused loopback address.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// environment returns a service's environment with the addresses of this machine.
func (s *stack) environment(service string) []string {
	env := []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range s.project.Services[service].Environment {
		v := s.replace.Replace(*value)
		if addr, ok := s.addr[strings.TrimPrefix(v, ":")]; ok && strings.HasPrefix(v, ":") {
			v = addr
		}
		env = append(env, name+"="+v)
	}
	return env
}

// words returns a service's command, or its health check's, with the paths of this machine.
func (s *stack) words(list []string) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = s.replace.Replace(w)
	}
	out[0] = filepath.Join(s.bin, out[0])
	return out
}

// running is one process.
type running struct {
	cmd    *exec.Cmd
	log    *bytes.Buffer
	ended  chan struct{}
	result error
}

// up starts a service and waits until its health check passes.
func (s *stack) up(t *testing.T, service string) *running {
	t.Helper()
	c := s.project.Services[service]
	words := s.words(c.Command)
	r := &running{cmd: exec.Command(words[0], words[1:]...), log: &bytes.Buffer{}, ended: make(chan struct{})}
	r.cmd.Env = s.environment(service)
	r.cmd.Stdout, r.cmd.Stderr = r.log, r.log
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { r.result = r.cmd.Wait(); close(r.ended) }()
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); <-r.ended })
	check := s.words(c.HealthCheck.Test[1:])
	eventually(t, service+" is healthy", func() error {
		select {
		case <-r.ended:
			t.Fatalf("%s ended: %v\n%s", service, r.result, r.log)
		default:
		}
		return exec.CommandContext(t.Context(), check[0], check[1:]...).Run()
	})
	return r
}

// down sends SIGTERM, as the platform does, and requires the process to exit within ten seconds.
func (r *running) down(t *testing.T, service string) {
	t.Helper()
	if err := r.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	kill := time.NewTimer(10 * time.Second)
	defer kill.Stop()
	select {
	case <-r.ended:
		if r.result != nil {
			t.Errorf("%s ended with %v\n%s", service, r.result, r.log)
		}
	case <-kill.C:
		t.Errorf("%s would have been killed", service)
	}
}

// eventually repeats try until it returns nil, for at most a minute.
func eventually(t *testing.T, what string, try func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: not yet: %v", what, err)
		case <-tick.C:
		}
	}
}

// operator runs the operator's program as "docker compose run --rm rounds" does.
func (s *stack) operator(t *testing.T, args ...string) ([]byte, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(s.bin, "rounds"), args...)
	cmd.Env = s.environment("rounds")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		err = fmt.Errorf("rounds %s: %w: %s%s", strings.Join(args, " "), err, out, &stderr)
	}
	return out, err
}

// get sends a request to one of the published addresses.
func (s *stack) get(t *testing.T, port, path, key string) (int, []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+s.addr[port]+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, body
}

// TestStack runs the services of docker-compose.yml in their order, with their commands,
// environment, users and health checks, as processes of this machine. A board fills and is served,
// the operators' pages answer, every process stops in time, and Redis refused no command.
func TestStack(t *testing.T) {
	t.Parallel()
	bin := build(t)
	t.Run("plain", func(t *testing.T) { t.Parallel(); playStack(t, newStack(t, bin)) })
	t.Run("tls", func(t *testing.T) { t.Parallel(); playTLS(t, bin) })
}

func playStack(t *testing.T, s *stack) {
	processes := map[string]*running{}
	for _, service := range []string{"simulator", "worker", "scheduler", "gateway", "monitor"} {
		processes[service] = s.up(t, service)
	}
	zone, err := time.LoadLocation("America/Chicago")
	if err != nil {
		t.Fatal(err)
	}
	board := "/v1/practices/1/board?date=" + time.Now().In(zone).Format(time.DateOnly)
	eventually(t, "the gateway serves a board", func() error {
		code, body := s.get(t, "8080", board, "rounds-dev-key-clinic-a")
		if code != http.StatusOK {
			return fmt.Errorf("%d %s", code, body)
		}
		return nil
	})
	if code, _ := s.get(t, "8080", board, "another key"); code != http.StatusUnauthorized {
		t.Errorf("with another key the gateway answers %d", code)
	}
	s.visitMonitor(t)
	for _, command := range []string{
		"doctor", "board show --tenant clinic-a --practice 1",
		"enqueue directory.sync --tenant clinic-a --arg practice=1",
	} {
		if out, err := s.operator(t, append(strings.Fields(command), "--json")...); err != nil || !json.Valid(out) {
			t.Errorf("%v\n%s", err, out)
		}
	}
	for service, r := range processes {
		r.down(t, service)
	}
	for _, r := range append(s.queue.Refusals(t), s.cache.Refusals(t)...) {
		t.Errorf("refused: %s", r)
	}
}

// visitMonitor opens the pages as the operator of deploy/compose/monitor-logins, so that commands
// which Redis refuses to the pages appear among the refusals.
func (s *stack) visitMonitor(t *testing.T) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar, Transport: &http.Transport{DisableKeepAlives: true}}
	site := "http://" + s.addr["8090"]
	do := func(method, path, kind, body string) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), method, site+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", kind)
		req.Header.Set("Sec-Fetch-Site", "same-origin")
		res, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = res.Body.Close() }()
		text, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode > 299 || strings.HasSuffix(res.Request.URL.Path, "/login") {
			t.Errorf("%s %s: %d, %v\n%.300s", method, path, res.StatusCode, err, text)
		}
	}
	const form, api = "application/x-www-form-urlencoded", "application/json"
	do("POST", "/login", form, "name=operator&password=operator-dev-password")
	do("GET", "/now", "", "")
	for _, path := range []string{
		"queues", "queues/sync", "queues/sync/pending_tasks", "queues/sync/active_tasks", "queues/sync/scheduled_tasks",
		"queues/sync/retry_tasks", "queues/sync/archived_tasks", "queues/sync/completed_tasks", "servers", "scheduler_entries", "queue_stats",
		"redis_info",
	} {
		do("GET", "/asynqmon/api/"+path, "", "")
	}
	do("POST", "/asynqmon/api/queues/sync:pause", api, "")
	do("POST", "/asynqmon/api/queues/sync:resume", api, "")
}
