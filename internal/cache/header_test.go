package cache

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestHeaderRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		h := header{
			flags: byte(rapid.IntRange(0, flagsKnown).Draw(t, "flags")),
			keyID: rapid.Uint16().Draw(t, "key"),
			stamp: rapid.Uint64Max(maxClock-1).Draw(t, "stamp"),
			soft:  rapid.Uint64Max(maxClock-1).Draw(t, "soft"),
			cost:  rapid.Uint32().Draw(t, "cost"),
		}
		copy(h.epoch[:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "epoch"))
		copy(h.hash[:], rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "hash"))
		h.tags = make([]Tag, rapid.IntRange(0, MaxTags).Draw(t, "k"))
		for i := range h.tags {
			copy(h.tags[i][:], rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "tag"))
		}
		b := h.append(nil)
		if len(b) != h.size() {
			t.Fatalf("%d bytes, size says %d", len(b), h.size())
		}
		got, err := parseHeader(string(b) + "rest")
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(h, got, cmp.AllowUnexported(header{})); d != "" {
			t.Fatal(d)
		}
		if _, err := parseHeader(string(b[:len(b)-1])); err == nil {
			t.Fatal("no error for a truncated header")
		}
	})
}

func FuzzHeader(f *testing.F) {
	h := header{stamp: 5, soft: 6, tags: []Tag{{1}, {2}}}
	whole := string(h.append(nil))
	for _, n := range []int{0, 1, headerFixed - 1, headerFixed, len(whole) - 1, len(whole)} {
		f.Add(whole[:n])
	}
	f.Fuzz(func(t *testing.T, b string) {
		h, err := parseHeader(b)
		if err != nil {
			return
		}
		if len(h.tags) > MaxTags || h.stamp >= maxClock || h.soft >= maxClock || h.size() > len(b) {
			t.Fatalf("header beyond the limits: %+v", h)
		}
		if got := string(h.append(nil)); got != b[:h.size()] {
			t.Fatalf("written back as %x", got)
		}
	})
}
