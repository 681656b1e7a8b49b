package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

// outcome is the result of a command line.
type outcome struct {
	code           int
	stdout, stderr string
}

// rounds runs one command line with the given environment.
func rounds(t *testing.T, vars map[string]string, args ...string) outcome {
	t.Helper()
	return roundsWith(t, vars, "", args...)
}

func roundsWith(t *testing.T, vars map[string]string, stdin string, args ...string) outcome {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code := Run(t.Context(), args, getenv(vars), strings.NewReader(stdin), &stdout, &stderr)
	return outcome{code, stdout.String(), stderr.String()}
}

func getenv(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

// document decodes stdout, which must be exactly one JSON document.
func document[T any](t *testing.T, stdout string) T {
	t.Helper()
	var v T
	dec := json.NewDecoder(strings.NewReader(stdout))
	if err := dec.Decode(&v); err != nil {
		t.Fatalf("stdout is not a JSON document: %v\n%s", err, stdout)
	}
	if err := dec.Decode(&struct{}{}); !errors.Is(err, io.EOF) {
		t.Fatalf("stdout contains more than one document:\n%s", stdout)
	}
	return v
}

// failed decodes the error document.
func failed(t *testing.T, stdout string) failure {
	t.Helper()
	return document[struct {
		Error failure `json:"error"`
	}](t, stdout).Error
}

// time2026 is a time in the past.
var time2026 = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
