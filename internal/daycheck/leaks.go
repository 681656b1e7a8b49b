package daycheck

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/workflow-bolt/rounds/internal/canary"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/telemetry/otlptest"
)

// failures counts failed attempts by what the tasks asked for. The zero value is ready.
type failures struct {
	mu       sync.Mutex
	byDigest map[string]int // equal for the tasks of one record
}

func (f *failures) add(task string) {
	digest := task
	if id, err := queue.ParseID(task); err == nil {
		digest = id.Digest
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDigest == nil {
		f.byDigest = map[string]int{}
	}
	f.byDigest[digest]++
}

// unexpected returns how many attempts have failed that were not for one and the same record. One
// record cannot be fetched, and each attempt to fetch it fails.
func (f *failures) unexpected() (n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	most := 0
	for _, failed := range f.byDigest {
		n, most = n+failed, max(most, failed)
	}
	return n - most
}

// untroubled checks the totals of the day. A day without any calls, reads or changes fails.
func (d *day) untroubled(ctx context.Context) error {
	r := d.report
	dead, err := d.demo.Tools.Ledger.DeadLetters(ctx, ledger.Filter{})
	switch {
	case err != nil:
		return err
	case r.ThrottleRefused > 0 || r.AttemptsUsed > 0:
		return fmt.Errorf("%d calls were refused, %d attempts failed", r.ThrottleRefused, r.AttemptsUsed)
	case len(dead) > 0:
		return fmt.Errorf("%d dead letters, the first with code %s", len(dead), dead[0].Code)
	case r.VendorCalls == 0 || r.Reads == 0:
		return errors.New("there was no vendor call, or no read of a board")
	case r.Changes == 0:
		return errors.New("no change reached the event log")
	}
	return nil
}

// searchPHI searches all data that the day produced for the canaries. Sealed data is searched in
// its sealed form. A place that is empty, or lacks what every day produces there, is an error,
// because an empty result would prove nothing.
func (d *day) searchPHI(ctx context.Context) error {
	needles, err := canary.New(canaryFirst, canaryLast, canaryPhone, brokenFirst, brokenLast, d.canaryVisit, d.brokenVisit, d.brokenID)
	if err != nil {
		return err
	}
	t := d.demo.Tools
	for place, search := range map[string]func() (seen, hits int, err error){
		"queue":  func() (int, int, error) { return needles.Redis(ctx, t.Queue) },
		"cache":  func() (int, int, error) { return needles.Redis(ctx, t.Cache) },
		"ledger": func() (int, int, error) { return needles.Files(d.demo.Dir) },
	} {
		seen, hits, err := search()
		if err == nil && seen == 0 {
			err = errors.New("the " + place + " has nothing to search")
		}
		if err != nil {
			return err
		}
		d.count(seen, hits)
	}
	log := d.log.Bytes()
	if err := errors.Join(completeLog(log), completeTraces(d.spans.Spans())); err != nil {
		return err
	}
	for _, data := range append(d.spans.Bodies(), log) {
		hits := 0
		if needles.In(data) {
			hits = 1
		}
		d.count(1, hits)
	}
	if d.report.PHIHits > 0 {
		return fmt.Errorf("%d of %d places contain a planted patient", d.report.PHIHits, d.report.PHISearched)
	}
	return nil
}

// completeLog returns an error unless both processes have logged that they started.
func completeLog(log []byte) error {
	for _, line := range []string{"worker ready", "scheduler ready"} {
		if !bytes.Contains(log, []byte(line)) {
			return fmt.Errorf("the log lacks %q", line)
		}
	}
	return nil
}

// completeTraces returns an error unless there are spans of every stage of a task.
func completeTraces(spans []otlptest.Span) error {
	for _, name := range []telemetry.SpanName{telemetry.SpanEnqueue, telemetry.SpanTask, telemetry.SpanVendor} {
		if !slices.ContainsFunc(spans, func(s otlptest.Span) bool { return s.Name == name.String() }) {
			return fmt.Errorf("there is no span %s", name)
		}
	}
	return nil
}

func (d *day) count(seen, hits int) {
	d.report.PHISearched += seen
	d.report.PHIHits += hits
}
