//go:build soak

package tebra_test

import (
	"flag"
	"testing"
)

// TestSoakMutatedListsLoseNoRow is TestMutatedListsLoseNoRow with 10,000 responses.
//
//nolint:paralleltest // the flag belongs to the whole process
func TestSoakMutatedListsLoseNoRow(t *testing.T) {
	if err := flag.Set("rapid.checks", "10000"); err != nil {
		t.Fatal(err)
	}
	mutate(t)
}
