package tasks

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

// foreignMain is a program of another module. It uses Redis, a keyset and package tasks, and
// nothing else of this module.
const foreignMain = `package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/tasks"
)

func main() {
	keys, err := os.ReadFile(os.Args[2])
	check(err)
	o, err := redis.ParseURL(os.Args[1])
	check(err)
	o.MaxRetries = -1
	rdb := redis.NewClient(o)
	defer rdb.Close()
	client, err := tasks.NewClient(tasks.ClientOptions{Redis: rdb, Keys: keys})
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	receipt, err := client.Enqueue(ctx, "clinic-a", tasks.SyncPatient{Practice: "7", Patient: "4711"}, tasks.Interactive())
	check(err)
	status, err := client.Status(ctx, receipt.ID)
	check(err)
	fmt.Print(receipt.ID, " ", status.State)
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
`

// Another module can build against the public packages offline, and a task that it enqueues runs in
// a worker of this module.
func TestForeignModuleEnqueues(t *testing.T) {
	t.Parallel()
	b := setup(t)
	url := redistest.URL(t)
	rdb, err := redisconn.Dial(url, redisconn.Options{})
	must(t, err)
	t.Cleanup(func() { _ = rdb.Close() })
	dir := t.TempDir()
	root, err := filepath.Abs("..")
	must(t, err)
	ours, err := os.ReadFile(filepath.Join(root, "go.mod"))
	must(t, err)
	sums, err := os.ReadFile(filepath.Join(root, "go.sum"))
	must(t, err)
	// The requirements of this module are repeated, so that the build needs only modules in the
	// cache.
	_, requirements, _ := strings.Cut(string(ours), "\nrequire")
	mod := "module example.com/foreign\n\ngo 1.26.0\n\nrequire github.com/workflow-bolt/rounds v0.0.0\n\n" +
		"replace github.com/workflow-bolt/rounds => " + root + "\n\nrequire" + requirements
	keys := filepath.Join(dir, "keys.json")
	for path, text := range map[string]string{
		filepath.Join(dir, "go.mod"): mod, filepath.Join(dir, "go.sum"): string(sums), filepath.Join(dir, "main.go"): foreignMain, keys: string(b.keys),
	} {
		must(t, os.WriteFile(path, []byte(text), 0o600))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	binary := filepath.Join(dir, "foreign")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GOPROXY=off", "GOSUMDB=off", "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	out, err := exec.CommandContext(ctx, binary, url, keys).CombinedOutput()
	if err != nil {
		t.Fatalf("run: %v\n%s", err, out)
	}
	id, state, _ := strings.Cut(string(out), " ")
	if !strings.HasSuffix(id, ".interactive") || state != string(StateWaiting) {
		t.Errorf("the program printed %q", out)
	}
	ran := make(chan Job[SyncPatient], 1)
	r := b.router(t, RouterOptions{Redis: rdb})
	Handle(r, WorkerFunc[SyncPatient](func(_ context.Context, j *Job[SyncPatient]) error { ran <- *j; return nil }))
	serveOn(t, rdb, r)
	if j := receive(t, ran); j.ID != id || j.Tenant != "clinic-a" || j.Args.Patient.Reveal() != "4711" {
		t.Errorf("the worker got task %s of tenant %s", j.ID, j.Tenant)
	}
}
