package events

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/phi"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	got, err := Decode(redis.XMessage{ID: "2000-0", Values: entry(2000, 1000)})
	if err != nil {
		t.Fatal(err)
	}
	want := Event{
		Clock: 2000, Prev: 1000, Epoch: [8]byte([]byte("epoch--1")), At: time.UnixMicro(2000), ID: "id-2000",
		Tags: []Tag{Tag([]byte("tag----1")), Tag([]byte("tag----2"))},
		Body: Body{Kind: PatientChanged, Refs: []phi.Ref{ref(1)}},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestDecodeRejectsWhatTheScriptCannotWrite(t *testing.T) {
	t.Parallel()
	secret := "Zebulon"
	rows := map[string]struct {
		id    string
		field string
		value any
	}{
		"id without sequence":   {id: "2000"},
		"id with sequence":      {id: "2000-1"},
		"id not a number":       {id: secret + "-0"},
		"id past exact numbers": {id: "9007199254740992-0"},
		"prev missing":          {field: "p"},
		"prev not before":       {field: "p", value: "2000"},
		"prev negative":         {field: "p", value: "-1"},
		"epoch short":           {field: "e", value: "short"},
		"time missing":          {field: "n"},
		"event id too long":     {field: "i", value: strings.Repeat("x", MaxID+1)},
		"tags truncated":        {field: "t", value: "tag----1t"},
		"too many tags":         {field: "t", value: strings.Repeat("tag----1", MaxTags+1)},
		"value of another type": {field: "b", value: 7},
		"body missing":          {field: "b"},
		"body not json":         {field: "b", value: secret},
		"body too long":         {field: "b", value: `{"kind":"a.b","x":"` + strings.Repeat("x", MaxBody) + `"}`},
		"body without kind":     {field: "b", value: `{}`},
		"kind with a name":      {field: "b", value: `{"kind":"` + secret + `.changed"}`},
		"an id as a ref":        {field: "b", value: `{"kind":"patient.changed","refs":["` + secret + `"]}`},
		"an id as a practice":   {field: "b", value: `{"kind":"patient.changed","practice":"7"}`},
		"duplicate members":     {field: "b", value: `{"kind":"a.b","kind":"a.c"}`},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := redis.XMessage{ID: "2000-0", Values: entry(2000, 1000)}
			if row.id != "" {
				m.ID = row.id
			}
			if row.field != "" {
				delete(m.Values, row.field)
				if row.value != nil {
					m.Values[row.field] = row.value
				}
			}
			_, err := Decode(m)
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("Decode = %v, want ErrMalformed", err)
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("the error contains the data: %v", err)
			}
		})
	}
}

func TestDecodeAcceptsKindsOfANewerRelease(t *testing.T) {
	t.Parallel()
	m := redis.XMessage{ID: "2000-0", Values: entry(2000, 1000)}
	m.Values["b"] = `{"kind":"location.closed","since":3}`
	ev, err := Decode(m)
	if err != nil || ev.Body.Kind != "location.closed" {
		t.Errorf("Decode = %+v, %v", ev.Body, err)
	}
}

func TestBodyEncode(t *testing.T) {
	t.Parallel()
	b := Body{Kind: AppointmentChanged, Practice: ref(1), Refs: []phi.Ref{ref(2)}, Views: []phi.Ref{ref(3)}}
	data, err := b.Encode()
	if err != nil {
		t.Fatal(err)
	}
	back, err := decodeBody(string(data))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(b, back); d != "" {
		t.Error(d)
	}
	full := Body{Kind: ViewRebuilt, Practice: ref(1), Refs: refs(MaxRefs), Views: refs(MaxRefs)}
	if data, err = full.Encode(); err != nil || len(data) > MaxBody {
		t.Errorf("a full body has %d bytes (%v), the limit is %d", len(data), err, MaxBody)
	}
	for name, bad := range map[string]Body{
		"no kind":         {},
		"unknown kind":    {Kind: "patient.renamed"},
		"practice number": {Kind: PatientChanged, Practice: "7"},
		"patient number":  {Kind: PatientChanged, Refs: []phi.Ref{"4711"}},
		"too many refs":   {Kind: PatientChanged, Refs: refs(MaxRefs + 1)},
		"too many views":  {Kind: PatientChanged, Views: refs(MaxRefs + 1)},
	} {
		if _, err := bad.Encode(); err == nil {
			t.Errorf("%s: no error", name)
		} else if strings.Contains(err.Error(), "4711") {
			t.Errorf("%s: the error contains the value", name)
		}
	}
}

func refs(n int) []phi.Ref {
	out := make([]phi.Ref, n)
	for i := range out {
		out[i] = ref(byte(i))
	}
	return out
}

func FuzzDecode(f *testing.F) {
	f.Add("2000-0", "1000", "epoch--1", "2000", "id", "tag----1", `{"kind":"patient.changed","refs":["`+string(ref(1))+`"]}`)
	f.Add("1-0", "0", "epoch--1", "1", "", "", `{"kind":"view.rebuilt"}`)
	f.Fuzz(func(t *testing.T, id, p, e, n, i, tags, b string) {
		ev, err := Decode(redis.XMessage{ID: id, Values: map[string]any{"p": p, "e": e, "n": n, "i": i, "t": tags, "b": b}})
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatalf("error is not ErrMalformed: %v", err)
			}
			return
		}
		if ev.Prev >= ev.Clock || len(ev.Tags) > MaxTags || len(ev.ID) > MaxID || len(ev.Body.Refs) > MaxRefs {
			t.Fatalf("decoded beyond the limits: %+v", ev)
		}
		if err := ev.Body.check(); err != nil {
			t.Fatalf("decoded an invalid body: %v", err)
		}
	})
}
