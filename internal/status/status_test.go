package status

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

func example() Document {
	return Document{
		At:        time.Date(2026, 3, 2, 14, 30, 0, 0, time.UTC),
		Budgets:   []Budget{{Tenant: "clinic-a", Operation: "GetPatient", Spacing: 300 * time.Millisecond, Next: time.Second, Blocked: time.Second, Backlog: time.Minute}},
		Breakers:  []Breaker{{Scope: "host", State: "closed"}, {Scope: "GetPatient", Tenant: "clinic-a", State: "open", Wait: time.Second, Opens: 2, Reason: "unavailable"}},
		Freshness: []Freshness{{Tenant: "clinic-a", Practice: "7", Open: true, Known: true, Age: time.Minute}},
		Workers:   []Worker{{Name: "host:1", Slots: 20, Busy: 3, Started: time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)}},
		Attempts:  map[string]int{"schedule.sync": 10},
		Omitted:   1, Missing: []string{"workers"},
	}
}

func TestWriteThenRead(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	if _, _, err := Read(t.Context(), rdb); !errors.Is(err, ErrNone) {
		t.Errorf("without a document: %v", err)
	}
	want := example()
	if err := Write(t.Context(), rdb, want); err != nil {
		t.Fatal(err)
	}
	got, age, err := Read(t.Context(), rdb)
	if err != nil || age < 0 || age > time.Minute {
		t.Fatalf("age %v, %v", age, err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	// The age is the part of Life that has passed.
	rdb.PExpire(t.Context(), key(), Life-time.Hour)
	if _, age, err = Read(t.Context(), rdb); err != nil || age < time.Hour || age > time.Hour+time.Minute {
		t.Errorf("age %v, %v", age, err)
	}
	_ = rdb.Close()
	if _, _, err := Read(t.Context(), rdb); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("without Redis: %v", err)
	}
	if err := Write(t.Context(), rdb, want); err == nil {
		t.Error("Write: no error without Redis")
	}
}

func TestDocumentSizeIsLimited(t *testing.T) {
	t.Parallel()
	d := example()
	d.Omitted = 0
	for range 5000 {
		d.Budgets = append(d.Budgets, Budget{Tenant: "clinic-of-the-longest-name-there-may-be-0", Operation: strings.Repeat("GetAllPatients", 8)})
		d.Freshness = append(d.Freshness, Freshness{Tenant: "clinic-b", Practice: "8"})
	}
	rows := len(d.Budgets) + len(d.Breakers) + len(d.Freshness) + len(d.Workers)
	rdb := redistest.New(t)
	if err := Write(t.Context(), rdb, d); err != nil {
		t.Fatal(err)
	}
	if n := rdb.StrLen(t.Context(), key()).Val(); n > MaxBytes {
		t.Errorf("%d bytes", n)
	}
	got, _, err := Read(t.Context(), rdb)
	if err != nil {
		t.Fatal(err)
	}
	if kept := len(got.Budgets) + len(got.Breakers) + len(got.Freshness) + len(got.Workers); kept+got.Omitted != rows || kept == 0 || got.Omitted == 0 {
		t.Errorf("%d rows kept and %d omitted of %d", kept, got.Omitted, rows)
	}
	if diff := cmp.Diff(d.Budgets[0], got.Budgets[0]); diff != "" {
		t.Errorf("the first row was omitted: %s", diff)
	}
	d = Document{At: d.At, Missing: []string{strings.Repeat("x", MaxBytes)}}
	if err := Write(t.Context(), rdb, d); err == nil {
		t.Error("no error for a document that cannot be reduced")
	}
}

func TestReadRejectsOtherValues(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	for name, value := range map[string]string{
		"text": "x", "truncated": `{"at":"2026-03-02T14:30:00Z","budgets":[`, "no time": `{}`, "null": `null`, "a list": `[]`,
		"a wrong type": `{"at":"2026-03-02T14:30:00Z","workers":"all"}`,
		"too large":    `{"at":"2026-03-02T14:30:00Z"}` + strings.Repeat(" ", MaxBytes),
	} {
		rdb.Set(t.Context(), key(), value, Life)
		if _, _, err := Read(t.Context(), rdb); !errors.Is(err, ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	rdb.Set(t.Context(), key(), `{"at":"2026-03-02T14:30:00Z","newer":[1]}`, Life)
	if _, _, err := Read(t.Context(), rdb); err != nil {
		t.Errorf("a document of a newer scheduler: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := Read(ctx, rdb); !errors.Is(err, context.Canceled) {
		t.Errorf("with a canceled context: %v", err)
	}
}

func TestLate(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		f    Freshness
		want bool
	}{
		"fresh":           {Freshness{Open: true, Known: true, Age: FreshnessObjective}, false},
		"old":             {Freshness{Open: true, Known: true, Age: FreshnessObjective + 1}, true},
		"never confirmed": {Freshness{Open: true}, true},
		"closed":          {Freshness{Known: true, Age: 12 * time.Hour}, false},
		"closed, unknown": {Freshness{}, false},
	} {
		if got := c.f.Late(); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func FuzzDecode(f *testing.F) {
	data, err := example().encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte(`{"at":"2026-03-02T14:30:00Z","freshness":[{"age":-1}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		d, err := decode(data)
		if err != nil {
			if !errors.Is(err, ErrMalformed) {
				t.Fatal(err)
			}
			return
		}
		again, err := d.encode()
		if err != nil {
			return // too long after escaping
		}
		if _, err := decode(again); err != nil {
			t.Fatalf("an encoded document does not decode: %v\n%s", err, again)
		}
	})
}
