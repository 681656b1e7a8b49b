package queue

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func TestEngineLogHidesForeignText(t *testing.T) {
	t.Parallel()
	own := ID{Lane: Sync, Digest: strings.Repeat("a", digestLen), Generation: 7}.String()
	for line, want := range map[string]string{
		"Retry exhausted for task id=" + own:             "Retry exhausted for task id=" + own,
		"Retry exhausted for task id=Jane Doe":           "Retry exhausted for task …",
		"Pushed task id=doe-jane-19800101 back to queue": "Pushed task … back to queue",
		"revoke task id=" + own + "-Jane":                "revoke task …",
		`Could not remove task id=x type="jane.doe" from "asynq:{sync}:a" err: dial tcp 10.0.0.1:6379: connect: connection refused; Will retry syncing`: "Could not remove task … from … err: dial tcp … connect: connection refused; Will retry syncing",
		"Failed to extend lease for tasks [" + own + " 4711]: EOF":                                                                                      "Failed to extend lease for tasks [" + own + " … EOF",
		"recovering from panic. See the stack trace below for details:\ngoroutine 1\nJane":                                                              "recovering from panic. See the stack trace below for details: …",
		"Dequeue error: UNKNOWN: redis eval error: OOM command not allowed when used memory > 'maxmemory'":                                              "Dequeue error: UNKNOWN: redis eval error: OOM command not allowed when used memory … 'maxmemory'",
		"Jane\x00Doe 19800101 J.Doe":    "…",
		"":                              "",
		strings.Repeat("task ", 10_000): strings.TrimSpace(strings.Repeat("task ", maxEngineText/5) + "…"),
	} {
		if got := engineText(line); got != want {
			t.Errorf("%.80q is logged as %.120q, want %.120q", line, got, want)
		}
	}
}

// Whatever asynq may log, the fixed words of its warnings and errors are written.
func TestEngineLogKeepsTheWordsOfAsynq(t *testing.T) {
	t.Parallel()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/hibiken/asynq").Output()
	if err != nil {
		t.Fatal(err)
	}
	call := regexp.MustCompile(`logger\.(?:Warn|Error)f?\("([^"\\]+)`)
	verb := regexp.MustCompile(`\S*%\S*`)
	lines := 0
	for _, name := range []string{"forwarder.go", "heartbeat.go", "janitor.go", "processor.go", "recoverer.go", "server.go", "subscriber.go", "syncer.go"} {
		source, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(dir)), name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range call.FindAllStringSubmatch(string(source), -1) {
			lines++
			fixed := strings.Join(strings.Fields(verb.ReplaceAllString(m[1], " ")), " ")
			if got := engineText(fixed); got != fixed {
				t.Errorf("%s: %q is logged as %q", name, fixed, got)
			}
		}
	}
	if lines < 15 {
		t.Errorf("asynq's source has %d lines, too few to prove anything", lines)
	}
}
