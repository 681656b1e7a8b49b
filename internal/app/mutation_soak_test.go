//go:build soak

package app

import (
	"flag"
	"testing"
)

// TestSoakBoardsSurviveMutatedLists is TestBoardsSurviveMutatedLists with 500 responses.
//
//nolint:paralleltest // the flag belongs to the whole process
func TestSoakBoardsSurviveMutatedLists(t *testing.T) {
	if err := flag.Set("rapid.checks", "500"); err != nil {
		t.Fatal(err)
	}
	mutate(t, 500)
}
