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

// Pairs of the row with a floor, samples of the others, and the rows between two readings of the
// heap.
const (
	pairs        = 11
	samples      = 5
	readingEvery = 250
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
	streamed, err := pair.Alternate(ctx, pairs, f.rate(f.stream), l.tokenRate)
	if err != nil {
		return nil, err
	}
	collected, err := pair.Alternate(ctx, samples, f.rate(f.collect), l.tokenRate)
	if err != nil {
		return nil, err
	}
	live, err := pair.Alone(ctx, samples, f.heapMB)
	if err != nil {
		return nil, err
	}
	return []report.Row{
		tokenRow("rows-per-second", streamed, "Appointments.Rows, from the request to the last row", new(0.5), odd),
		tokenRow("list-rows-per-second", collected, "Appointments.List, from the request to the returned list", nil, odd),
		report.Row{
			Name: "heap-mb", Unit: "MB", Better: report.Lower, Floor: new(8.0), Samples: live,
			Note: fmt.Sprintf("largest live heap of the process during Appointments.Rows, less that before it; a collection is forced every %d rows", readingEvery),
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

// collect reads the list as a whole.
func (f *feed) collect(ctx context.Context, into *sum) error {
	list, err := f.client.Appointments.List(ctx, f.request)
	if err != nil {
		return err
	}
	for i := range list.Rows {
		into.add(&list.Rows[i])
	}
	return nil
}

// heapMB reads the list row by row and returns the heap that this keeps alive.
func (f *feed) heapMB(ctx context.Context) (float64, error) {
	meter, rows := heap.Start(), 0
	for _, err := range f.client.Appointments.Rows(ctx, f.request) {
		if errors.Is(err, tebra.ErrPartial) {
			break
		}
		if err != nil {
			return 0, err
		}
		if rows++; rows%readingEvery == 0 {
			meter.Read()
		}
	}
	if rows != f.verified.rows {
		return 0, fmt.Errorf("read %d rows, want %d", rows, f.verified.rows)
	}
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
