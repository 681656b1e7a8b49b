// Package report is the document that a bench prints.
package report

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/workflow-bolt/rounds/bench/internal/pair"
)

// Document is the result of one bench.
type Document struct {
	Bench string `json:"bench"`
	// Flags are the flags of the bench that differ from their defaults.
	Flags   map[string]string `json:"flags,omitempty"`
	Machine Machine           `json:"machine"`
	Rows    []Row             `json:"rows"`
	Pass    bool              `json:"pass"` // every row reaches its floor
}

// Better is the direction in which figures are better.
type Better string

// The directions.
const (
	Higher Better = "higher"
	Lower  Better = "lower"
)

// Row is one figure. Ours and Theirs are medians of Samples, unless the row's name states another
// statistic. Ratio is the median of the pairs' ratios, and says how many times better ours is,
// whichever direction is better. Floor is the smallest Ratio that passes; without a ratio, it is
// the worst Ours that passes, whatever the peer's figure. A row without a floor passes.
type Row struct {
	Name        string       `json:"name"`
	Unit        string       `json:"unit"`
	Better      Better       `json:"better"`
	Ours        float64      `json:"ours"`
	Peer        string       `json:"peer,omitempty"`
	Theirs      *float64     `json:"theirs,omitempty"`
	Ratio       *float64     `json:"ratio,omitempty"`
	Floor       *float64     `json:"floor,omitempty"`
	Samples     pair.Samples `json:"samples"`
	PeerVersion string       `json:"peer_version,omitempty"`
	PeerConfig  string       `json:"peer_config,omitempty"`
	Note        string       `json:"note,omitempty"` // how ours was measured, where that is not obvious
}

// Once is the row of a figure that was measured once.
func Once(name, unit string, better Better, floor *float64, figure float64, note string) Row {
	return Row{Name: name, Unit: unit, Better: better, Floor: floor, Samples: pair.Samples{Ours: []float64{figure}}, Note: note}.Complete()
}

// Cases is the row that counts the cases of a row that requires 0. Without enough of them the 0 says
// nothing.
func Cases(of string, least, n int, note string) Row {
	return Once(of+"-cases", "cases", Higher, new(float64(least)), float64(n), note)
}

// Complete sets the medians and the ratio from the samples.
func (r Row) Complete() Row {
	r.Ours = pair.Median(r.Samples.Ours)
	if s := r.Samples; len(s.Theirs) > 0 {
		theirs := pair.Median(s.Theirs)
		if r.Better == Lower {
			s.Ours, s.Theirs = s.Theirs, s.Ours
		}
		ratio := s.Ratio()
		r.Theirs, r.Ratio = &theirs, &ratio
	}
	return r
}

// Pass reports whether the row reaches its floor.
func (r Row) Pass() bool {
	switch {
	case r.Floor == nil:
		return true
	case r.Ratio != nil:
		return *r.Ratio >= *r.Floor
	case r.Better == Lower:
		return r.Ours <= *r.Floor
	}
	return r.Ours >= *r.Floor
}

// New begins the document of a bench whose flags have been parsed.
func New(bench string, flags *flag.FlagSet) *Document {
	d := &Document{Bench: bench, Flags: map[string]string{}, Machine: describeMachine()}
	flags.Visit(func(f *flag.Flag) {
		if f.Name != "json" {
			d.Flags[f.Name] = f.Value.String()
		}
	})
	return d
}

// Finish adds the rows and the load after them.
func (d *Document) Finish(rows []Row) {
	d.Machine.LoadAfter = loadAverage()
	d.Rows, d.Pass = rows, true
	for _, r := range rows {
		d.Pass = d.Pass && r.Pass()
	}
}

// WriteJSON writes the document as JSON.
func (d *Document) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(d)
}

// WriteText writes the document for people.
func (d *Document) WriteText(w io.Writer) error {
	m := d.Machine
	_, _ = fmt.Fprintf(w, "%s on %d cores of %s, %s, load %v before and %v after\n\n", d.Bench, m.Cores, m.CPU, m.Go, m.LoadBefore, m.LoadAfter)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, "ROW\tOURS\tUNIT\tPEER\tTHEIRS\tRATIO\tFLOOR\tRESULT")
	for _, r := range d.Rows {
		result := "ok"
		if !r.Pass() {
			result = "short"
		}
		_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.Name, figure(&r.Ours), r.Unit, r.Peer, figure(r.Theirs), figure(r.Ratio), figure(r.Floor), result)
	}
	return t.Flush()
}

// figure formats a figure with four significant digits, or "-" if there is none.
func figure(f *float64) string {
	if f == nil {
		return "-"
	}
	if *f >= 1000 {
		return strconv.FormatFloat(*f, 'f', 0, 64)
	}
	return strconv.FormatFloat(*f, 'g', 4, 64)
}
