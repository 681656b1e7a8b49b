package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/diagnose"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/tenant"
	"github.com/workflow-bolt/rounds/tasks"
)

const maxFailures = 20

// replayDoc is what replay answers.
type replayDoc struct {
	DryRun     bool       `json:"dry_run"`
	Selected   int        `json:"selected"`
	Cost       []costDoc  `json:"cost"`
	Revived    int        `json:"revived"`    // wait again
	Waiting    int        `json:"waiting"`    // waited already
	Done       int        `json:"done"`       // had ended well since
	Superseded int        `json:"superseded"` // another task does or did it
	Failed     int        `json:"failed"`
	More       bool       `json:"more"`     // the flags choose more than --max
	Failures   []faultDoc `json:"failures"` // the first of them
}

// costDoc is what the selected letters would ask of the vendor.
type costDoc struct {
	Operation   string  `json:"operation"` // empty: none, of kinds that ask for nothing
	DeadLetters int     `json:"letters"`
	Calls       int     `json:"calls"`         // at most
	Seconds     float64 `json:"least_seconds"` // that the vendor's spacing makes of it, for the tenant with the most
}

// faultDoc is a letter that could not be replayed.
type faultDoc struct {
	Task string `json:"task"`
	Code string `json:"code"`
}

// The codes of letters that could not be replayed.
const (
	faultNotOpen  = "NOT_OPEN"
	faultNotFound = "LETTER_NOT_FOUND"
	faultForeign  = "NOT_OURS"
	faultLost     = "LOST"
	faultRuns     = "RUNS" // at the moment: to be replayed when that has ended, if it is still needed
)

func (d *replayDoc) count(r queue.ReplayResult) {
	switch r {
	case queue.ReplayQueued:
		d.Revived++
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
		d.Failures = append(d.Failures, faultDoc{Task: diagnose.Redact(id), Code: code})
	}
}

// replayed counts the letters that are open no more.
func (d *replayDoc) replayed() int { return d.Revived + d.Waiting + d.Done + d.Superseded }

// outcome is the failure of a replay that came to its end.
func (d *replayDoc) outcome() error {
	f := &failure{Exit: exitPartly, Code: "PARTLY", What: "some letters could not be replayed", cause: errReported}
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
	asks := make([]string, 0, len(d.Cost))
	for _, c := range d.Cost {
		if c.Operation != "" {
			asks = append(asks, fmt.Sprintf("%d calls of %s", c.Calls, c.Operation))
		}
	}
	if len(asks) == 0 {
		asks = []string{"no call"}
	}
	return fmt.Sprintf("%d tasks will run again and ask the vendor for %s at most. Go on?", d.Selected, strings.Join(asks, ", "))
}

func (d *replayDoc) write(w io.Writer) {
	if d.DryRun {
		_, _ = fmt.Fprintf(w, "%d open letters would be replayed\n", d.Selected)
	} else {
		_, _ = fmt.Fprintf(w, "%d letters: %d tasks wait again, %d waited already, %d had ended well since, %d are done by others, %d failed\n",
			d.Selected, d.Revived, d.Waiting, d.Done, d.Superseded, d.Failed)
	}
	table(w, []string{"ASKS THE VENDOR FOR", "LETTERS", "CALLS", "TAKES AT LEAST"}, d.Cost, func(c costDoc) []string {
		name := c.Operation
		if name == "" {
			name = "nothing"
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
		_, _ = fmt.Fprintln(w, "there are more than --max")
	}
}

// cost adds up what the letters' kinds ask of the vendor. Its spacing holds for each account and operation, so accounts go
// side by side.
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
