package tasks

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// A payload that is moved to another task, kind or tenant cannot be decrypted.
func TestPayloadIsBoundToItsTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
	Handle(r, WorkerFunc[memo](func(context.Context, *Job[memo]) error { return nil }))
	whole := b.seal(t, note{Text: "x"})
	if o := OutcomeOf(r.Deliver(t.Context(), whole)); o.State != OutcomeDone {
		t.Fatalf("unchanged: %+v", o)
	}
	for name, move := range map[string]func(*Delivery){
		"to another task": func(d *Delivery) { d.ID = b.seal(t, note{Text: "y"}).ID },
		"to another generation": func(d *Delivery) {
			id, _ := queue.ParseID(d.ID)
			id.Generation++
			d.ID = id.String()
		},
		"to another lane":   func(d *Delivery) { d.ID = strings.Replace(d.ID, ".sync", ".warm", 1); d.Lane = "warm" },
		"to another kind":   func(d *Delivery) { d.Kind = "memo.write" },
		"to another tenant": func(d *Delivery) { d.Headers[headerTenant] = "clinic-b" },
	} {
		d := b.seal(t, note{Text: "x"})
		move(&d)
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDead || o.Code != codes.DoesNotOpen {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

// memo has the same JSON as note.
type memo struct {
	Text   string `json:"text"`
	Number int64  `json:"number"`
}

func (memo) Kind() string { return "memo.write" }

// Each of these deliveries may be in Redis in place of a valid task. Each becomes a dead letter
// with a code, and the next valid task runs.
func TestMalformedDeliveriesBecomeDeadLetters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := setup(t)
	keys, plain := b.client.keys.For("clinic-a"), []byte(`{"text":"x","number":1}`)
	sealed := func(d *Delivery, plain string) {
		box, err := keys.Seal([]byte(plain), "clinic-a", d.Kind, d.ID)
		must(t, err)
		d.Payload = box
	}
	for name, row := range map[string]struct {
		spoil func(d *Delivery)
		want  Code
	}{
		"empty payload":            {func(d *Delivery) { d.Payload = nil }, codes.DoesNotOpen},
		"random bytes":             {func(d *Delivery) { d.Payload = []byte("\x01\x02random") }, codes.DoesNotOpen},
		"another keyset":           {func(d *Delivery) { d.Payload = other.seal(t, note{Text: "x"}).Payload }, codes.DoesNotOpen},
		"bit flipped in the tag":   {func(d *Delivery) { d.Payload[len(d.Payload)-1] ^= 1 }, codes.DoesNotOpen},
		"bit flipped in the nonce": {func(d *Delivery) { d.Payload[6] ^= 1 }, codes.DoesNotOpen},
		"bit flipped in the key":   {func(d *Delivery) { d.Payload[2] ^= 1 }, codes.DoesNotOpen},
		"truncated":                {func(d *Delivery) { d.Payload = d.Payload[:len(d.Payload)-1] }, codes.DoesNotOpen},
		"plain JSON":               {func(d *Delivery) { d.Payload = plain }, codes.DoesNotOpen},
		"50 MB":                    {func(d *Delivery) { d.Payload = make([]byte, 50<<20) }, codes.TooLarge},
		"not JSON":                 {func(d *Delivery) { sealed(d, "{") }, codes.MalformedPayload},
		"null":                     {func(d *Delivery) { sealed(d, "null") }, codes.MalformedPayload},
		"array":                    {func(d *Delivery) { sealed(d, "[]") }, codes.MalformedPayload},
		"two documents":            {func(d *Delivery) { sealed(d, "{}{}") }, codes.MalformedPayload},
		"duplicate member":         {func(d *Delivery) { sealed(d, `{"text":"a","text":"b"}`) }, codes.MalformedPayload},
		"case variant":             {func(d *Delivery) { sealed(d, `{"Text":"a"}`) }, codes.MalformedPayload},
		"unknown member":           {func(d *Delivery) { sealed(d, `{"text":"a","more":1}`) }, codes.MalformedPayload},
		"number as string":         {func(d *Delivery) { sealed(d, `{"number":"1"}`) }, codes.MalformedPayload},
		"number too large":         {func(d *Delivery) { sealed(d, `{"number":9223372036854775808}`) }, codes.MalformedPayload},
		"invalid UTF-8":            {func(d *Delivery) { sealed(d, "{\"text\":\"\xff\"}") }, codes.MalformedPayload},
		"nested 5,000 deep":        {func(d *Delivery) { sealed(d, strings.Repeat(`{"text":`, 5_000)) }, codes.MalformedPayload},
		"fails Validate":           {func(d *Delivery) { sealed(d, `{"text":"invalid"}`) }, codes.InvalidArguments},
		"no headers":               {func(d *Delivery) { d.Headers = nil }, codes.MalformedHeaders},
		"no tenant":                {func(d *Delivery) { delete(d.Headers, headerTenant) }, codes.MalformedHeaders},
		"malformed tenant":         {func(d *Delivery) { d.Headers[headerTenant] = "A\n\x1b[31m" }, codes.MalformedHeaders},
		"no version":               {func(d *Delivery) { delete(d.Headers, headerVersion) }, codes.MalformedHeaders},
		"version 0":                {func(d *Delivery) { d.Headers[headerVersion] = "0" }, codes.MalformedHeaders},
		"version -1":               {func(d *Delivery) { d.Headers[headerVersion] = "-1" }, codes.MalformedHeaders},
		"version 01":               {func(d *Delivery) { d.Headers[headerVersion] = "01" }, codes.MalformedHeaders},
		"version in words":         {func(d *Delivery) { d.Headers[headerVersion] = "one" }, codes.MalformedHeaders},
		"malformed time":           {func(d *Delivery) { d.Headers[headerEnqueuedAt] = "yesterday" }, codes.MalformedHeaders},
		"kind with control bytes":  {func(d *Delivery) { d.Kind = "note.write\n\x1b[31m" }, codes.UnknownKind},
		"ID of another lane":       {func(d *Delivery) { d.Lane = LaneWarm }, codes.MalformedID},
		"ID made by asynq":         {func(d *Delivery) { d.ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479" }, codes.MalformedID},
		"no ID":                    {func(d *Delivery) { d.ID = "" }, codes.MalformedID},
		"failures over the limit":  {func(d *Delivery) { d.Failed = 1 << 30 }, codes.Exhausted},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var buried []DeadLetter
			r := b.router(t, RouterOptions{Bury: func(_ context.Context, l DeadLetter) error { buried = append(buried, l); return nil }})
			ran := 0
			Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { ran++; return nil }))
			d := b.seal(t, note{Text: "x"})
			row.spoil(&d)
			for range 2 { // the second delivery has the same outcome
				if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDead || o.Code != row.want {
					t.Errorf("outcome %+v, want dead %s", o, row.want)
				}
			}
			if ran != 0 || len(buried) != 2 {
				t.Errorf("ran %d times with %d dead letters, want 0 and 2", ran, len(buried))
			}
			for _, l := range buried {
				if strings.ContainsAny(l.Kind+l.Tenant, "\n\x1b") || l.Code != row.want || l.DiedAt.IsZero() {
					t.Errorf("dead letter of kind %q, tenant %q, code %q", l.Kind, l.Tenant, l.Code)
				}
			}
			if o := OutcomeOf(r.Deliver(t.Context(), b.seal(t, note{Text: "valid"}))); o.State != OutcomeDone || ran != 1 {
				t.Errorf("the next valid task: %+v, ran %d times", o, ran)
			}
		})
	}
}

func TestUnknownHeadersAreDropped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var seen map[string]string
	r := b.router(t, RouterOptions{Middleware: []Middleware{Observe, func(next Next) Next {
		return func(ctx context.Context, run *Run) error { seen = run.Headers; return next(ctx, run) }
	}}})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
	d := b.seal(t, note{Text: "x"})
	for i := range 100_000 {
		d.Headers[fmt.Sprint("x", i)] = "y"
	}
	d.Headers[headerTrace] = strings.Repeat("z", 10_000)
	if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDone {
		t.Errorf("outcome %+v", o)
	}
	if got := slices.Sorted(maps.Keys(seen)); !slices.Equal(got, []string{headerEnqueuedAt, headerKey, headerTenant, headerVersion}) {
		t.Errorf("the run has the headers %v", got)
	}
}

func TestJobDescribesTheTask(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.router(t, RouterOptions{})
	var got Job[note]
	Handle(r, WorkerFunc[note](func(_ context.Context, j *Job[note]) error { got = *j; return nil }))
	d := b.seal(t, note{Text: "x", Number: 1 << 60})
	d.Failed = 1
	must(t, r.Deliver(t.Context(), d))
	want := Job[note]{ID: d.ID, Tenant: "clinic-a", Lane: LaneSync, Attempt: 2, EnqueuedAt: got.EnqueuedAt, Args: note{Text: "x", Number: 1 << 60}}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(note{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func (renamed) Kind() string      { return "note.create" }
func (renamed) Aliases() []string { return []string{"note.write"} }

func (oddKind) Kind() string     { return "Odd" }
func (oddLane) Kind() string     { return "odd.lane" }
func (oddLane) Options() Options { return Options{Lane: "fast"} }
func (oddVersion) Kind() string  { return "odd.version" }
func (oddVersion) Version() int  { return 0 }

func FuzzDeliver(f *testing.F) {
	b := setup(f)
	r := b.router(f, RouterOptions{})
	Handle(r, WorkerFunc[note](func(context.Context, *Job[note]) error { return nil }))
	d := b.seal(f, note{Text: "x"})
	sealer := b.client.keys.For("clinic-a")
	f.Add([]byte(`{"text":"x","number":1}`), true)
	f.Add([]byte(`{"text":"invalid"}`), true)
	f.Add(d.Payload, false)
	f.Fuzz(func(t *testing.T, payload []byte, seal bool) {
		d := d
		if d.Payload = payload; seal {
			var err error
			if d.Payload, err = sealer.Seal(payload, "clinic-a", d.Kind, d.ID); err != nil {
				t.Fatal(err)
			}
		}
		if o := OutcomeOf(r.Deliver(t.Context(), d)); o.State != OutcomeDone && o.State != OutcomeDead {
			t.Errorf("outcome %+v", o)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	f.Add("clinic-a", "1", "2026-11-23T10:00:00.123456789Z")
	f.Add("", "01", "")
	f.Fuzz(func(t *testing.T, owner, version, at string) {
		headers := map[string]string{headerTenant: owner, headerVersion: version, headerEnqueuedAt: at}
		h, err := readHeaders(headers)
		if err != nil {
			return
		}
		if h.tenant.String() != owner || fmt.Sprint(h.version) != version || h.version < 1 || h.enqueuedAt.Location() != time.UTC {
			t.Errorf("read %+v", h)
		}
	})
}
