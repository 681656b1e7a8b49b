package answers

import (
	"bytes"
	"context"
	"testing"
)

// The bench fails if the client loses or changes a row, whatever its speed.
func TestFeedVerifies(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		edit func(served []byte) []byte
		ok   bool
	}{
		"as the simulator wrote it": {func(b []byte) []byte { return b }, true},
		"without rows": {func(served []byte) []byte {
			before, _, _ := bytes.Cut(served, []byte(startOfRow))
			return append(bytes.Clone(before), served[bytes.LastIndex(served, []byte(endOfRow))+len(endOfRow):]...)
		}, false},
		"without one row": {func(served []byte) []byte {
			before, rest, _ := bytes.Cut(served, []byte(startOfRow))
			_, after, _ := bytes.Cut(rest, []byte(endOfRow))
			return append(bytes.Clone(before), after...)
		}, false},
		"one status differs": {func(b []byte) []byte { return bytes.Replace(b, []byte(">Scheduled<"), []byte(">Cancelled<"), 1) }, false},
		"refused":            {func([]byte) []byte { return []byte("<html/>") }, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, err := newList(t.Context(), 2, false)
			if err != nil {
				t.Fatal(err)
			}
			l.served = tt.edit(l.served)
			f := start(t, l)
			if err := f.verify(t.Context()); (err == nil) != tt.ok {
				t.Errorf("verify: %v", err)
			}
		})
	}
}

func start(t *testing.T, l *list) *feed {
	t.Helper()
	f, err := serve(t.Context(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := f.close(); err != nil {
			t.Error(err)
		}
	})
	return f
}

func TestFigures(t *testing.T) {
	t.Parallel()
	l, err := newList(t.Context(), 2, false)
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, l)
	if err := f.verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, figure := range map[string]func(context.Context) (float64, error){
		"stream": f.rate(f.stream), "collect": f.rate(f.collect), "tokens": l.tokenRate, "growth": f.growthMB,
	} {
		if got, err := figure(t.Context()); err != nil || got <= 0 && name != "growth" {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	f.verified.digests++
	if _, err := f.rate(f.stream)(t.Context()); err == nil {
		t.Error("a reading that differs from the verified one counts")
	}
}

// One row in a hundred is odd, and the others are the same as without oddities.
func TestOddRows(t *testing.T) {
	t.Parallel()
	l, err := newList(t.Context(), 3, true)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.odd) != 6 || l.untouched != 594 || bytes.Equal(l.plain, l.served) {
		t.Errorf("%d odd and %d untouched rows, want 6 and 594", len(l.odd), l.untouched)
	}
}
