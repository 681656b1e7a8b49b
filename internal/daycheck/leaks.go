package daycheck

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
func (d *day) untroubled(ctx context.Context) error {
	r := d.report
	dead, err := d.demo.Tools.Ledger.DeadLetters(ctx, ledger.Filter{})
	switch {
	case err != nil:
		return err
	case r.ThrottleRefused > 0 || r.AttemptsUsed > 0:
		return fmt.Errorf("%d calls were refused, %d attempts burnt", r.ThrottleRefused, r.AttemptsUsed)
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
func (d *day) searchPHI(ctx context.Context) error {
	needles, err := canary.New(canaryFirst, canaryLast, canaryPhone, brokenFirst, brokenLast, d.canaryVisit, d.brokenVisit, d.brokenID)
	if err != nil {
		return err
	}
	t := d.demo.Tools
	for name, rdb := range map[string]redis.UniversalClient{"queue": t.Queue, "cache": t.Cache} {
		seen, hits, err := needles.Redis(ctx, rdb)
		if err == nil && seen == 0 {
			err = errors.New("there is no key in the " + name + " to search")
		}
		if err != nil {
			return err
		}
		d.found(seen, hits)
	}
	seen, hits, err := needles.Files(d.demo.Dir)
	if err == nil && seen == 0 {
		err = errors.New("there is no file of the ledger to search")
	}
	if err != nil {
		return err
	}
	d.found(seen, hits)
	log := d.log.Bytes()
	if err := errors.Join(wholeLog(log), wholeTraces(d.spans.Spans())); err != nil {
		return err
	}
	for _, data := range append(d.spans.Bodies(), log) {
		if needles.In(data) {
			d.found(1, 1)
		} else {
			d.found(1, 0)
		}
	}
	if d.report.PHIHits > 0 {
		return fmt.Errorf("%d of %d places hold a planted patient", d.report.PHIHits, d.report.PHISearched)
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

func (d *day) found(seen, hits int) {
	d.report.PHISearched += seen
	d.report.PHIHits += hits
}
