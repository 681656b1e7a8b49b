package queue

import (
	"slices"
	"testing"
)

func TestCodesHaveAMeaning(t *testing.T) {
	t.Parallel()
	codes := Codes()
	if !slices.Contains(codes, "pace") || !slices.Contains(codes, CodeHidden) || slices.Contains(codes, "") || !slices.IsSorted(codes) {
		t.Errorf("the codes are %q", codes)
	}
	for _, code := range codes {
		if Meaning(code) == "" || CodeOf(code) != code {
			t.Errorf("%q means %q, and is shown as %q", code, Meaning(code), CodeOf(code))
		}
	}
	if Meaning("") == "" || Meaning("flow_pace") != Meaning("pace") || Meaning("nonsense") != "" {
		t.Errorf("%q, %q, %q", Meaning(""), Meaning("flow_pace"), Meaning("nonsense"))
	}
}
