// Package answers measures how fast and in how much memory a list of 10,000 appointments is read
// from the vendor.
package answers

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"

	"github.com/workflow-bolt/rounds/bench/internal/heap"
	"github.com/workflow-bolt/rounds/bench/internal/pair"
	"github.com/workflow-bolt/rounds/bench/internal/report"
)

// Pairs of the row with a floor, and samples of the others.
const (
	pairs   = 11
	samples = 5
)

// Flags declares the bench's flags and returns its measurement.
func Flags(flags *flag.FlagSet) func(context.Context) ([]report.Row, error) {
	odd := flags.Bool("odd", false, "make one row in a hundred odd, each with one of the simulator's oddities of rows in turn")
	return func(ctx context.Context) ([]report.Row, error) { return measure(ctx, *odd) }
}

func measure(ctx context.Context, odd bool) (rows []report.Row, err error) {
	l, err := newList(ctx, days, odd)
	if err != nil {
		return nil, err
	}
	f, err := serve(ctx, l)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	// These also warm up the connection.
	if err := f.verify(ctx); err != nil {
		return nil, err
	}
	collected, err := pair.Alternate(ctx, pairs, f.rate(f.collect), l.tokenRate)
	if err != nil {
		return nil, err
	}
	streamed, err := pair.Alternate(ctx, samples, f.rate(f.stream), l.tokenRate)
	if err != nil {
		return nil, err
	}
	grown, err := pair.Alone(ctx, samples, f.growthMB)
	if err != nil {
		return nil, err
	}
	return []report.Row{
		tokenRow("rows-per-second", collected, "Appointments.Windows, as the worker calls it, from the request to a window that holds all rows", new(0.5), odd),
		tokenRow("stream-rows-per-second", streamed, "Appointments.Rows, which no program of the project calls, from the request to the last row", nil, odd),
		report.Row{
			Name: "heap-mb", Unit: "MB", Better: report.Lower, Floor: new(8.0), Samples: grown,
			Note: fmt.Sprintf("largest live heap of the process during Appointments.Windows, which holds all rows, less that before it; "+
				"a collection is forced after every %d kB of the response and at the end", readingEvery>>10),
		}.Complete(),
	}, nil
}

// tokenRow is a row whose peer is the tokenizer of the standard library.
func tokenRow(name string, s pair.Samples, note string, floor *float64, odd bool) report.Row {
	config := "the same bytes, read from memory in one goroutine; counts rows and decodes nothing"
	if odd {
		config = "the same rows without oddities, because encoding/xml ends at the first character that XML forbids; " +
			"read from memory in one goroutine; counts rows and decodes nothing"
	}
	return report.Row{
		Name: name, Unit: "rows/s", Better: report.Higher, Floor: floor, Samples: s, Note: note + ", over loopback HTTP",
		Peer: "encoding/xml RawToken", PeerVersion: runtime.Version(), PeerConfig: config,
	}.Complete()
}

// rate returns a figure in rows per second. Every reading must return what verify has checked.
func (f *feed) rate(read func(context.Context, *sum) error) pair.Figure {
	return func(ctx context.Context) (float64, error) {
		var got sum
		began := time.Now()
		err := read(ctx, &got)
		took := time.Since(began)
		if err != nil {
			return 0, err
		}
		if got != f.verified {
			return 0, fmt.Errorf("read %d rows, want %d, or their fields differ", got.rows, f.verified.rows)
		}
		return float64(got.rows) / took.Seconds(), nil
	}
}

// stream reads the list row by row.
func (f *feed) stream(ctx context.Context, into *sum) error {
	for row, err := range f.client.Appointments.Rows(ctx, f.request) {
		// The list has as many rows as the vendor returns at most.
		if errors.Is(err, tebra.ErrPartial) {
			return nil
		}
		if err != nil {
			return err
		}
		into.add(&row)
	}
	return nil
}

// collect reads the list as the worker does.
func (f *feed) collect(ctx context.Context, into *sum) error {
	rows, err := f.window(ctx)
	for i := range rows {
		into.add(&rows[i])
	}
	return err
}

// window returns the rows of the only window of the request.
func (f *feed) window(ctx context.Context) (rows []tebra.Appointment, err error) {
	for w, err := range f.client.Appointments.Windows(ctx, f.request) {
		if err != nil {
			return nil, err
		}
		if rows != nil {
			return nil, errors.New("there is more than one window")
		}
		rows = w.Rows
	}
	return rows, nil
}

// growthMB reads the list as the worker does and returns the heap that this keeps alive.
func (f *feed) growthMB(ctx context.Context) (float64, error) {
	meter := heap.Start()
	f.probe.meter.Store(meter)
	defer f.probe.meter.Store(nil)
	rows, err := f.window(ctx)
	if err != nil {
		return 0, err
	}
	meter.Read()
	if len(rows) != f.verified.rows {
		return 0, fmt.Errorf("read %d rows, want %d", len(rows), f.verified.rows)
	}
	runtime.KeepAlive(rows)
	return meter.MB(), nil
}

// tokenRate returns how many rows per second the tokenizer reads.
func (l *list) tokenRate(context.Context) (float64, error) {
	dec, rows := xml.NewDecoder(bytes.NewReader(l.plain)), 0
	began := time.Now()
	for {
		token, err := dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, err
		}
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "AppointmentData" {
			rows++
		}
	}
	took := time.Since(began)
	if rows != len(l.visits) {
		return 0, fmt.Errorf("the tokenizer read %d rows, want %d", rows, len(l.visits))
	}
	return float64(rows) / took.Seconds(), nil
}
