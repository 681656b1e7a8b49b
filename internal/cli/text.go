package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/workflow-bolt/rounds/internal/diagnose"
)

// unknown is printed for a value that a record does not have.
const unknown = "unknown"

// table writes rows in columns under a heading.
func table[R any](w io.Writer, heading []string, rows []R, cells func(R) []string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(t, strings.Join(heading, "\t"))
	for _, r := range rows {
		all := cells(r)
		for i := range all {
			all[i] = printable(all[i])
		}
		_, _ = fmt.Fprintln(t, strings.Join(all, "\t"))
	}
	_ = t.Flush() // w is a buffer
}

// counted formats a number of things.
func counted(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// lines writes each value on a line, with a label before the first.
func lines(b *strings.Builder, label string, values []string) {
	for _, v := range values {
		fmt.Fprintf(b, "  %-6s %s\n", label, printable(v))
		label = ""
	}
}

// age formats the time since t for a table, or "-" if t is zero.
func age(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return max(0, now.Sub(t)).Round(time.Second).String()
}

// relative is diagnose.Ago for a table, or "-" if t is zero.
func relative(t, now time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return diagnose.Ago(t, now)
}

// details describes one thing: a name and a value on each line.
type details [][2]string

// add adds a line unless the value is empty.
func (d *details) add(name, value string) {
	if value != "" {
		*d = append(*d, [2]string{name, value})
	}
}

// addTime adds a time and its distance from now, unless the time is zero.
func (d *details) addTime(name string, t, now time.Time) {
	if !t.IsZero() {
		d.add(name, fmt.Sprintf("%s (%s)", t.UTC().Format(time.RFC3339), diagnose.Ago(t, now)))
	}
}

func (d *details) write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range *d {
		_, _ = fmt.Fprintf(t, "%s\t%s\n", line[0], printable(line[1]))
	}
	_ = t.Flush() // w is a buffer
}
