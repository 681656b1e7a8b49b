package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/workflow-bolt/rounds/bench/internal/answers"
	"github.com/workflow-bolt/rounds/bench/internal/flow"
	"github.com/workflow-bolt/rounds/bench/internal/outages"
	"github.com/workflow-bolt/rounds/bench/internal/recovery"
	"github.com/workflow-bolt/rounds/bench/internal/report"
	"github.com/workflow-bolt/rounds/bench/internal/vendoroutage"
)

const (
	exitOK          = 0
	exitFailed      = 1
	exitUsage       = 2
	exitShort       = 7
	exitTimeout     = 8
	exitInterrupted = 130
)

// timeLimit is the time that a bench may take.
const timeLimit = 15 * time.Minute

// bench is one measurement.
type bench struct {
	name, about string
	// flags declares the flags of the bench and returns the function that measures.
	flags func(*flag.FlagSet) func(context.Context) ([]report.Row, error)
}

var benches = []bench{
	{"flow", "the use of the vendor's budget and its sharing by four workers, beside two set-ups of plain asynq", flow.Flags},
	{"flow-outage", "what an outage of the vendor, records that always fail and a wrong password cost, beside plain asynq", vendoroutage.Flags},
	{"answers", "reading a list of 10,000 appointments from the vendor, against encoding/xml's tokens", answers.Flags},
	{"outages", "what an outage of each of our own stores costs tasks and readers", outages.Flags},
	{"recovery", "what becomes of tasks whose workers are killed, frozen and asked to stop, beside plain asynq", recovery.Flags},
}

// run runs the bench that args name and returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		for _, b := range benches {
			if b.name == args[0] {
				return b.run(ctx, args[1:], stdout, stderr)
			}
		}
		_, _ = fmt.Fprintf(stderr, "bench: unknown bench %q\n", args[0])
	}
	_, _ = fmt.Fprintln(stderr, "usage: bench NAME [--json] [flags of the bench]")
	for _, b := range benches {
		_, _ = fmt.Fprintf(stderr, "  %s: %s\n", b.name, b.about)
	}
	return exitUsage
}

func (b bench) run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet(b.name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	asJSON := flags.Bool("json", false, "print one JSON document to stdout")
	measure := b.flags(flags)
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return exitOK
	} else if err != nil || flags.NArg() > 0 {
		_, _ = fmt.Fprintf(stderr, "bench: %s takes flags only\n", b.name)
		return exitUsage
	}
	limited, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	doc := report.New(b.name, flags)
	rows, err := measure(limited)
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case limited.Err() != nil:
		_, _ = fmt.Fprintf(stderr, "bench: %s took longer than %v\n", b.name, timeLimit)
		return exitTimeout
	case err != nil:
		_, _ = fmt.Fprintf(stderr, "bench: %s: %v\n", b.name, err)
		return exitFailed
	}
	doc.Finish(rows)
	write := doc.WriteText
	if *asJSON {
		write = doc.WriteJSON
	}
	if err := write(stdout); err != nil {
		_, _ = fmt.Fprintf(stderr, "bench: %v\n", err)
		return exitFailed
	}
	if !doc.Pass {
		return exitShort
	}
	return exitOK
}
