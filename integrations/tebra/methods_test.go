package tebra_test

import (
	"slices"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
)

func TestOperationsAreTheCallersOwn(t *testing.T) {
	t.Parallel()
	ops := tebra.Operations()
	var names []string
	for _, op := range ops {
		names = append(names, op.Name)
		if op.Class == 0 || op.Class.String() == "unknown" || op.Interval <= 0 || op.Timeout <= 0 {
			t.Errorf("%s has no policy", op.Name)
		}
	}
	if !slices.IsSorted(names) {
		t.Errorf("not by name: %v", names)
	}
	ops[0].Timeout = 0
	if tebra.Operations()[0].Timeout == 0 {
		t.Error("the table can be changed from outside")
	}
}
