package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

// maxFailures is how many failed dead letters are listed.
const maxFailures = 20

// replayDoc is the result of dead replay.
type replayDoc struct {
	DryRun     bool       `json:"dry_run"`
	Selected   int        `json:"selected"`
	Cost       []costDoc  `json:"cost"`
	Queued     int        `json:"revived"`    // enqueued again
	Waiting    int        `json:"waiting"`    // were already waiting
	Done       int        `json:"done"`       // had succeeded since
	Superseded int        `json:"superseded"` // another task does the work or has done it
	Failed     int        `json:"failed"`
	More       bool       `json:"more"`     // the flags select more than --max
	Failures   []faultDoc `json:"failures"` // the first maxFailures
	// DieAgain are the tasks that would die again, by reason; only with --dry-run.
	DieAgain []fateDoc `json:"die_again,omitempty"`
	// Opened reports whether a keyset opened the payloads; only with --dry-run.
	Opened bool `json:"opened,omitempty"`
}

// costDoc is the cost of the selected dead letters for one vendor operation.
type costDoc struct {
	Operation   string  `json:"operation"` // empty for kinds that make no vendor call
	DeadLetters int     `json:"letters"`
	Calls       int     `json:"calls"`         // maximum
	Seconds     float64 `json:"least_seconds"` // minimum, from the vendor's interval, for the tenant with the most calls
}

// faultDoc is a dead letter that could not be replayed.
type faultDoc struct {
	Task string `json:"task"`
	Code string `json:"code"`
}

// The codes of dead letters that could not be replayed.
const (
	faultNotOpen  = "NOT_OPEN"
	faultNotFound = "LETTER_NOT_FOUND"
	faultForeign  = "NOT_OURS"
	faultLost     = "LOST"
	faultRuns     = "RUNS" // the task is running; replay it afterwards if it is still needed
)

func (d *replayDoc) count(r queue.ReplayResult) {
	switch r {
	case queue.ReplayQueued:
		d.Queued++
	case queue.ReplayWaiting:
		d.Waiting++
	case queue.ReplayDone:
		d.Done++
	case queue.ReplaySuperseded:
		d.Superseded++
	}
}

func (d *replayDoc) fault(id, code string) {
	d.Failed++
	if len(d.Failures) < maxFailures {
		d.Failures = append(d.Failures, faultDoc{Task: redactTask(id), Code: code})
	}
}

// replayed returns how many dead letters are no longer open.
func (d *replayDoc) replayed() int { return d.Queued + d.Waiting + d.Done + d.Superseded }

// outcome returns the failure of a completed replay, or nil.
func (d *replayDoc) outcome() error {
	f := &failure{Exit: exitPartly, Code: "PARTLY", What: "some dead letters could not be replayed", cause: errReported}
	switch {
	case d.Failed == 0:
		return nil
	case d.replayed() > 0:
	case d.Failures[0].Code == faultNotOpen, d.Failures[0].Code == faultRuns:
		f.Exit, f.Code = exitConflict, d.Failures[0].Code
	case d.Failures[0].Code == faultNotFound:
		f.Exit, f.Code = exitNotFound, faultNotFound
	default:
		f.Exit, f.Code = exitFailed, d.Failures[0].Code
	}
	return f
}

func (d *replayDoc) question() string {
	calls := make([]string, 0, len(d.Cost))
	for _, c := range d.Cost {
		if c.Operation != "" {
			calls = append(calls, fmt.Sprintf("%d calls of %s", c.Calls, c.Operation))
		}
	}
	if len(calls) == 0 {
		calls = []string{"no call"}
	}
	return fmt.Sprintf("%d tasks will be enqueued again and make at most %s to the vendor. Continue?", d.Selected, strings.Join(calls, ", "))
}

func (d *replayDoc) write(w io.Writer) {
	if d.DryRun {
		_, _ = fmt.Fprintf(w, "%d open dead letters would be replayed\n", d.Selected)
		for _, f := range d.DieAgain {
			_, _ = fmt.Fprintf(w, "%d would die again with %s: %s; such as %s\n", f.DeadLetters, f.Code, cmp.Or(f.Means, unknown), strings.Join(f.Examples, ", "))
		}
		if !d.Opened {
			_, _ = fmt.Fprintln(w, "payloads were not opened: ROUNDS_KEYS is not set")
		}
	} else {
		_, _ = fmt.Fprintf(w, "%d dead letters: %d tasks enqueued, %d already waiting, %d succeeded since, %d done by another task, %d failed\n",
			d.Selected, d.Queued, d.Waiting, d.Done, d.Superseded, d.Failed)
	}
	table(w, []string{"OPERATION", "DEAD LETTERS", "CALLS", "MINIMUM TIME"}, d.Cost, func(c costDoc) []string {
		name := c.Operation
		if name == "" {
			name = "none"
		}
		return []string{name, fmt.Sprint(c.DeadLetters), fmt.Sprint(c.Calls), time.Duration(c.Seconds * float64(time.Second)).String()}
	})
	for _, f := range d.Failures {
		_, _ = fmt.Fprintf(w, "not replayed: %s (%s)\n", f.Task, f.Code)
	}
	if d.Failed > len(d.Failures) {
		_, _ = fmt.Fprintf(w, "and %d more\n", d.Failed-len(d.Failures))
	}
	if d.More {
		_, _ = fmt.Fprintln(w, "there are more than --max allows")
	}
}

// cost sums up the vendor calls of the dead letters' kinds. The vendor's interval applies to each
// account and operation, so the calls of several accounts run in parallel.
func cost(dead []selected) []costDoc {
	spacing := map[string]time.Duration{}
	for _, o := range tebra.Operations() {
		spacing[o.Name] = o.Interval
	}
	out := []costDoc{}
	calls := map[string]map[tenant.ID]int{}
	for _, l := range dead {
		k, _ := tasks.FindKind(l.kind)
		i := slices.IndexFunc(out, func(c costDoc) bool { return c.Operation == k.Operation })
		if i < 0 {
			i = len(out)
			out = append(out, costDoc{Operation: k.Operation})
			calls[k.Operation] = map[tenant.ID]int{}
		}
		out[i].DeadLetters++
		out[i].Calls += k.Calls
		calls[k.Operation][l.tenant] += k.Calls
		longest := time.Duration(max(0, calls[k.Operation][l.tenant]-1)) * spacing[k.Operation]
		out[i].Seconds = max(out[i].Seconds, longest.Seconds())
	}
	slices.SortStableFunc(out, func(a, b costDoc) int { return cmp.Compare(b.Calls, a.Calls) })
	return out
}
