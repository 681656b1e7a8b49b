package tebratest_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
)

func TestCaptureWritesBothSidesOfEveryOperation(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "made")
	if err := tebratest.Capture(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	for _, op := range tebra.Operations() {
		for side, root := range map[string]string{"request": ":" + op.Name + ">", "response": "<" + op.Name + "Response "} {
			content, err := os.ReadFile(filepath.Join(dir, op.Name+"."+side+".xml"))
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(content), root) {
				t.Errorf("%s %s lacks its root element", op.Name, side)
			}
		}
	}
}
