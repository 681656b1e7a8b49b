package gateway

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestMatchesETag(t *testing.T) {
	t.Parallel()
	const etag = `"abc"`
	for header, want := range map[string]bool{
		"": false, "*": true, " *\t": true, `"*"`: false, `"abc"`: true, `W/"abc"`: true, `w/"abc"`: false, `W/ "abc"`: false,
		`"abc`: false, `abc`: false, `abc"`: false, `"ab"c"`: false, `""`: false, `"", "abc"`: true,
		`"a,*,b"`: false, `"a,*,b", "abc"`: true, `"x,"abc""`: false, `"x" "abc"`: false, `"x","abc"`: true,
		`,, "x" ,,W/"abc",`: true, `*, "abc"`: false, `"abc", *`: false, `"x", oops, "abc"`: false, `"abc", oops`: false,
		"\"a\x01\", \"abc\"": false, "\"a b\", \"abc\"": false, "\"\xe9\", \"abc\"": true, `"ABC"`: false,
	} {
		if got := matchesETag(header, etag); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

// A list matches exactly if one of its tags does, whatever the tags contain.
func TestMatchesETagInLists(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		tags := rapid.SliceOfN(rapid.StringMatching(`"[!#-~]{0,6}"`), 1, 6).Draw(t, "tags")
		etag := rapid.OneOf(rapid.SampledFrom(tags), rapid.StringMatching(`"[!#-~]{0,6}"`)).Draw(t, "etag")
		want := false
		var header strings.Builder
		for _, tag := range tags {
			want = want || tag == etag
			header.WriteString(rapid.SampledFrom([]string{"", "W/"}).Draw(t, "weak") + tag)
			header.WriteString(rapid.SampledFrom([]string{",", " , ", ",,", "\t,"}).Draw(t, "separator"))
		}
		if got := matchesETag(header.String(), etag); got != want {
			t.Errorf("%q in %q: %v, want %v", etag, header.String(), got, want)
		}
	})
}
