package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/canary"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// untroubled holds the day's sums against what they must be. A day on which nothing happened is no good day.
func (c *dayCheck) untroubled(ctx context.Context) error {
	r := c.report
	dead, err := c.demo.Tools.Ledger.DeadLetters(ctx, ledger.Filter{})
	switch {
	case err != nil:
		return err
	case r.ThrottleRefused > 0 || r.AttemptsBurnt > 0:
		return fmt.Errorf("%d calls were refused, %d attempts burnt", r.ThrottleRefused, r.AttemptsBurnt)
	case len(dead) > 0:
		return fmt.Errorf("%d dead letters, the first one's code is %s", len(dead), dead[0].Code)
	case r.VendorCalls == 0 || r.Reads == 0:
		return errors.New("nobody asked the vendor, or nobody read a board")
	case r.Changes == 0:
		return errors.New("no change was followed to the log")
	}
	return nil
}

// searchPHI searches everything that the day left behind. Sealed bytes are searched as they lie. A place that is empty, or
// lacks what a day is sure to leave there, is an error: finding nobody in it would prove nothing.
func (c *dayCheck) searchPHI(ctx context.Context) error {
	needles, err := canary.New(canaryFirst, canaryLast, canaryPhone, brokenFirst, brokenLast, c.canaryVisit, c.brokenVisit, c.brokenID)
	if err != nil {
		return err
	}
	t := c.demo.Tools
	for name, rdb := range map[string]redis.UniversalClient{"queue": t.Queue, "cache": t.Cache} {
		seen, hits, err := needles.Redis(ctx, rdb)
		if err == nil && seen == 0 {
			err = errors.New("there is no key in the " + name + " to search")
		}
		if err != nil {
			return err
		}
		c.found(seen, hits)
	}
	seen, hits, err := needles.Files(c.demo.Dir)
	if err == nil && seen == 0 {
		err = errors.New("there is no file of the ledger to search")
	}
	if err != nil {
		return err
	}
	c.found(seen, hits)
	log := c.sink.Bytes()
	if err := errors.Join(wholeLog(log), wholeTraces(c.spans.Spans())); err != nil {
		return err
	}
	for _, data := range append(c.spans.Bodies(), log) {
		if needles.In(data) {
			c.found(1, 1)
		} else {
			c.found(1, 0)
		}
	}
	if c.report.PHIHits > 0 {
		return fmt.Errorf("%d of %d places hold a planted patient", c.report.PHIHits, c.report.PHISearched)
	}
	return nil
}

// wholeLog wants both processes in the log.
func wholeLog(log []byte) error {
	for _, line := range []string{"worker takes tasks", "scheduler plans"} {
		if !bytes.Contains(log, []byte(line)) {
			return fmt.Errorf("the log lacks %q", line)
		}
	}
	return nil
}

// wholeTraces wants the stations of a task's way among the spans.
func wholeTraces(spans []otlptest.Span) error {
	for _, name := range []telemetry.SpanName{telemetry.SpanEnqueue, telemetry.SpanTask, telemetry.SpanVendor} {
		if !slices.ContainsFunc(spans, func(s otlptest.Span) bool { return s.Name == name.String() }) {
			return fmt.Errorf("no span is called %s", name)
		}
	}
	return nil
}

func (c *dayCheck) found(seen, hits int) {
	c.report.PHISearched += seen
	c.report.PHIHits += hits
}
