package tebra_test

import (
	"slices"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

func TestOperations(t *testing.T) {
	t.Parallel()
	ops := tebra.Operations()
	var names []string
	for _, op := range ops {
		names = append(names, op.Name)
		if op.Class == 0 || op.Class.String() == "unknown" || op.Interval <= 0 || op.Timeout <= 0 {
			t.Errorf("%s lacks a class, interval or timeout", op.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not sorted by name: %v", names)
	}
	ops[0].Timeout = 0
	if tebra.Operations()[0].Timeout == 0 {
		t.Error("callers can change the table")
	}
}
