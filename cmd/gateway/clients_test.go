//go:build clients

package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Each language's client walks through the API of a gateway in a separate process. "make clients"
// builds the clients and runs this test.
func TestClients(t *testing.T) {
	t.Parallel()
	for name, command := range map[string][]string{
		"python":     {"python3", "../../clients/python/walk.py", "1"},
		"typescript": {"node", "../../clients/typescript/dist/walk.js", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStack(t)
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			cmd := exec.CommandContext(ctx, command[0], command[1:]...)
			cmd.Env = []string{
				"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "TZ=America/Chicago", "PYTHONDONTWRITEBYTECODE=1",
				"ROUNDS_URL=" + s.vars["ROUNDS_URL"], "ROUNDS_API_KEY=" + s.vars["ROUNDS_API_KEY"],
			}
			out, err := cmd.CombinedOutput()
			if err != nil || !strings.HasSuffix(string(out), "no event was lost while disconnected\n") {
				t.Fatalf("%v\n%s", err, out)
			}
			t.Logf("\n%s", out)
		})
	}
}
