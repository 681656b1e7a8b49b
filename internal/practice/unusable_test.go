package practice

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
)

// counted returns a context in which unusable values are counted, and the first line about them.
func counted(t *testing.T) (context.Context, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	tel, err := telemetry.New(nil, nil, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	return telemetry.With(t.Context(), tel), &log
}

// A last-seen record that does not open makes its visit look new, once.
func TestUnusableLastSeenRecord(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(b *bundle, name phi.Ref, other string) (value string, code string){
		"of another visit": func(b *bundle, _ phi.Ref, other string) (string, string) { return other, "seal_broken" },
		"cut":              func(b *bundle, _ phi.Ref, other string) (string, string) { return other[:10], "seal_broken" },
		"foreign":          func(b *bundle, _ phi.Ref, _ string) (string, string) { return "Maria Muster", "seal_broken" },
		"empty":            func(b *bundle, _ phi.Ref, _ string) (string, string) { return "", "seal_broken" },
		"of another form": func(b *bundle, name phi.Ref, _ string) (string, string) {
			sealed, _ := b.keys.For(clinic.String()).Seal([]byte("[]"), lastSeenSeal, string(name))
			return string(sealed), "value_malformed"
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.see(t, monday, visits(2)...)
			n := b.store.Names(clinic)
			key := func(id phi.Text) string { return clinic.Key("c1", "s", string(n.Appointment(id))) }
			value, code := harm(b, n.Appointment(visit(0).ID), b.rdb.Get(t.Context(), key(visit(1).ID)).Val())
			b.rdb.Set(t.Context(), key(visit(0).ID), value, 0)
			ctx, log := counted(t)
			apply := func() Applied {
				t.Helper()
				a := Answer{Practice: "7", Date: monday, Visits: visits(2), Since: b.begin(t), Question: trusted}
				got, err := b.store.ApplyDay(ctx, clinic, a)
				if err != nil {
					t.Fatal(err)
				}
				return got
			}
			if got := apply(); got.Added != 1 || got.Changed != 0 {
				t.Errorf("%+v, want one visit that looks new", got)
			}
			if got := log.String(); !strings.Contains(got, "code="+code+" class=last-seen count=1\n") || strings.Contains(got, "Maria") {
				t.Errorf("logged %q", got)
			}
			if got := apply(); got.Any() {
				t.Errorf("%+v by the same answer", got)
			}
		})
	}
}

// What opens and has another form counts as missing.
func TestMalformedDocuments(t *testing.T) {
	t.Parallel()
	for class, key := range map[string]func(sc scope) cache.Key{
		"day-board":   func(sc scope) cache.Key { return sc.key(boardClass, sc.names.Board("7", monday)) },
		"appointment": func(sc scope) cache.Key { return sc.key(visitClass, sc.names.Appointment(visit(0).ID)) },
		"day":         func(sc scope) cache.Key { return sc.day(monday) },
	} {
		t.Run(class, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.see(t, monday, visits(2)...)
			items := []cache.Item{{Key: key(b.store.scope(clinic, "7")), Value: cache.Value{Bytes: []byte("[]")}}}
			if _, err := b.store.cache.FillMany(t.Context(), b.begin(t), items); err != nil {
				t.Fatal(err)
			}
			ctx, log := counted(t)
			r, err := b.store.Board(ctx, clinic, "7", monday)
			rows, missing := len(r.Board.Rows), r.Missing
			switch {
			case class == "day-board" && (err != nil || rows != 2),
				class == "appointment" && (err != nil || rows != 1 || missing != 1),
				class == "day" && !errors.Is(err, ErrCold):
				t.Errorf("%d rows, %d missing, %v", rows, missing, err)
			}
			if got := log.String(); !strings.Contains(got, "code=value_malformed class="+class+" count=1\n") {
				t.Errorf("logged %q", got)
			}
		})
	}
}
