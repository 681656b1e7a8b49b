package tasks

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"maps"
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

// Nothing of a task that another program wrote gets into the ledger or the log, wherever it holds a
// name.
func TestForeignTextIsNotKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	own := b.seal(t, note{Text: "x"})
	const name = "jane.doe"
	for what, spoil := range map[string]func(d *Delivery){
		"all of it": func(d *Delivery) {
			d.ID, d.Kind, d.Payload, d.Headers[headerTenant] = name, name, []byte(name), "jane-doe"
		},
		"its ID":                func(d *Delivery) { d.ID = name },
		"its type":              func(d *Delivery) { d.ID, d.Kind = "f47ac10b-58cc-4372-a567-0e02b2c3d479", name },
		"its payload":           func(d *Delivery) { d.Payload = []byte(strings.Repeat(name, 10)) },
		"type and payload":      func(d *Delivery) { d.Kind, d.Payload = name, []byte(strings.Repeat(name, 10)) },
		"its tenant":            func(d *Delivery) { d.ID, d.Headers[headerTenant] = "1", "jane-doe" },
		"our header":            func(d *Delivery) { d.Headers[headerVersion] = name },
		"the key":               func(d *Delivery) { d.Headers[headerKey], d.Headers[headerVersion] = name, "x" },
		"the trace":             func(d *Delivery) { d.Headers[headerTrace], d.Headers[headerVersion] = name, "x" },
		"the time":              func(d *Delivery) { d.Headers[headerEnqueuedAt] = name },
		"a header of its own":   func(d *Delivery) { d.Headers[name], d.Headers[headerVersion] = name, "x" },
		"an unprintable ID":     func(d *Delivery) { d.ID = name + "\x00\xff" },
		"no ID, no payload":     func(d *Delivery) { d.ID, d.Kind, d.Payload = "", name, nil },
		"a payload like a seal": func(d *Delivery) { d.ID, d.Payload = name, append([]byte{1}, strings.Repeat(name, 10)...) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			var buried []DeadLetter
			r := b.router(t, RouterOptions{
				Bury:   func(_ context.Context, l DeadLetter) error { buried = append(buried, l); return nil },
				Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
			})
			Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
			d := own
			d.Headers = maps.Clone(own.Headers)
			spoil(&d)
			for range 2 {
				if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDead {
					t.Fatalf("outcome %+v", o)
				}
			}
			if len(buried) != 2 || buried[0].TaskID != buried[1].TaskID || buried[0].TaskID == "" {
				t.Fatalf("dead letters: %+v", buried)
			}
			kept := fmt.Sprintf("%+v %s %s", buried, buried[0].Payload, &log)
			if strings.Contains(strings.ToLower(kept), "jane") {
				t.Errorf("kept: %s", kept)
			}
		})
	}
}
