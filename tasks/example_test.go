package tasks_test

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/tasks"
)

// RefreshRoster is a task of another module.
type RefreshRoster struct {
	Practice string `json:"practice"`
}

// Kind is the name of the kind in the queue.
func (RefreshRoster) Kind() string { return "roster.refresh" }

// Options puts the task into a background lane, where it does not delay interactive tasks.
func (RefreshRoster) Options() tasks.Options {
	return tasks.Options{Lane: tasks.LaneWarm, Timeout: 10 * time.Second, MaxAttempts: 3}
}

// These codes belong to this module. A code is an error that may be shown.
const (
	errUnknownPractice tasks.Code = "unknown_practice"
	errLocked          tasks.Code = "roster_locked"
)

// Declare a task, register its worker, and read the outcome of a run.
func Example() {
	keys := exampleKeys()
	router, err := tasks.NewRouter(tasks.RouterOptions{Keys: keys})
	if err != nil {
		panic(err)
	}
	// Safe to run twice: a second run only reads the roster again.
	tasks.Handle(router, tasks.WorkerFunc[RefreshRoster](func(_ context.Context, job *tasks.Job[RefreshRoster]) error {
		switch job.Args.Practice {
		case "1":
			return nil
		case "2":
			return tasks.Later(time.Now().Add(time.Minute), "vendor_down")
		case "3":
			return tasks.Permanent(errUnknownPractice)
		}
		return fmt.Errorf("read roster: %w", errLocked)
	}))

	client, err := tasks.NewClient(tasks.ClientOptions{Keys: keys})
	if err != nil {
		panic(err)
	}
	for _, practice := range []string{"1", "2", "3", "4"} {
		delivery, err := client.Seal(context.Background(), "clinic-a", RefreshRoster{Practice: practice})
		if err != nil {
			panic(err)
		}
		o := tasks.OutcomeOf(router.Deliver(context.Background(), delivery))
		fmt.Printf("%s: %s %q\n", practice, o.State, o.Code)
	}
	// Output:
	// 1: done ""
	// 2: later "vendor_down"
	// 3: dead "unknown_practice"
	// 4: retry "roster_locked"
}

func exampleKeys() []byte {
	keys, err := phi.Generate()
	if err != nil {
		panic(err)
	}
	data, err := keys.JSON()
	if err != nil {
		panic(err)
	}
	return data
}
