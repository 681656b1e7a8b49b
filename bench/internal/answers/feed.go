package answers

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"

	"github.com/workflow-bolt/rounds/bench/internal/heap"
)

// feed serves a list over loopback HTTP and has a client that reads it.
type feed struct {
	*list

	server    *http.Server
	served    chan error
	transport *http.Transport
	probe     *probe
	client    *tebra.Client
	verified  sum // what every reading must return
}

// serve starts the server. It sends the list from memory, whatever the request.
func serve(ctx context.Context, l *list) (*feed, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &feed{list: l, served: make(chan error, 1), transport: &http.Transport{}}
	f.probe = &probe{next: f.transport}
	f.server = &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // an error shows when the response is read
		w.Header().Set("Content-Type", "text/xml; charset=utf-8")
		w.Header().Set("Content-Length", strconv.Itoa(len(l.served)))
		_, _ = w.Write(l.served)
	})}
	go func() { f.served <- f.server.Serve(listener) }()
	f.client, err = tebra.New(tebra.Options{
		Endpoint: "http://" + listener.Addr().String() + tebratest.Path, Insecure: true, Account: "bench",
		Credentials: tebra.Credentials{CustomerKey: "key", User: "user", Password: "password"},
		HTTPClient:  &http.Client{Transport: f.probe},
	})
	if err != nil {
		return nil, errors.Join(err, f.close())
	}
	return f, nil
}

// readingEvery is how many bytes of a response are between two readings of the heap.
const readingEvery = 512 << 10

// probe is a transport that reads the heap while a response is read, if it has a meter.
type probe struct {
	next  http.RoundTripper
	meter atomic.Pointer[heap.Meter]
}

func (p *probe) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := p.next.RoundTrip(r)
	if meter := p.meter.Load(); err == nil && meter != nil {
		resp.Body = &meteredBody{ReadCloser: resp.Body, meter: meter}
	}
	return resp, err
}

type meteredBody struct {
	io.ReadCloser

	meter *heap.Meter
	since int // bytes since the last reading
}

func (b *meteredBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if b.since += n; b.since >= readingEvery {
		b.since = 0
		b.meter.Read()
	}
	return n, err
}

func (f *feed) close() error {
	f.transport.CloseIdleConnections()
	err := f.server.Close()
	if end := <-f.served; !errors.Is(end, http.ErrServerClosed) {
		err = errors.Join(err, end)
	}
	return err
}

// verify reads the list once and compares every row that has no oddity with the simulator's visit.
func (f *feed) verify(ctx context.Context) error {
	want := map[uint64]int{}
	for i := range f.visits {
		if v := &f.visits[i]; !f.odd[v.ID] {
			want[digestVisit(v, f.clinic.Practice().ID)]++
		}
	}
	lost := f.untouched
	list, err := f.client.Appointments.List(ctx, f.request)
	if err != nil {
		return fmt.Errorf("the list was refused, with %d rows that are in order: %w", f.untouched, err)
	}
	for i := range list.Rows {
		d := digestRow(&list.Rows[i])
		if want[d] > 0 {
			want[d]--
			lost--
		}
		f.verified.rows++
		f.verified.digests += d
	}
	if lost > 0 || f.untouched == 0 {
		return fmt.Errorf("%d of %d rows that are in order were lost or differ from the simulator's", lost, f.untouched)
	}
	return nil
}

// sum identifies the rows that were read, in any order.
type sum struct {
	rows    int
	digests uint64
}

func (s *sum) add(row *tebra.Appointment) {
	s.rows++
	s.digests += digestRow(row)
}

var seed = maphash.MakeSeed()

// digestRow returns a number that depends on the fields that identify and describe a visit.
func digestRow(a *tebra.Appointment) uint64 {
	var resource tebra.Resource
	if len(a.Resources) > 0 {
		resource = a.Resources[0]
	}
	var reason string
	if len(a.Reasons) > 0 {
		reason = a.Reasons[0].Name.Reveal()
	}
	return digest(a.Start, a.End, a.LastModified, a.ID.Reveal(), a.PatientID.Reveal(), a.PatientName.Reveal(), a.CaseID.Reveal(), a.Status,
		resource.ID.Reveal(), resource.Name.Reveal(), reason, a.Notes.Reveal(), a.PracticeID)
}

// digestVisit is digestRow of the row that shows a visit.
func digestVisit(v *tebratest.Visit, practice int) uint64 {
	return digest(v.Start, v.End, v.Modified, v.ID, v.PatientID, v.Patient, v.CaseID, v.Status, v.ProviderID, v.Provider, v.Reason, v.Notes,
		strconv.Itoa(practice))
}

func digest(start, end, modified time.Time, texts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, t := range []time.Time{start, end, modified} {
		maphash.WriteComparable(&h, t.Unix())
	}
	for _, text := range texts {
		_, _ = h.WriteString(text) // never fails
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}
