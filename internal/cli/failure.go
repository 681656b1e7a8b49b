package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// failure is an error in the shape in which operators see it. All its texts are ours or were made to be shown.
type failure struct {
	Code  string   `json:"code"` // stable, for scripts and searches
	What  string   `json:"what"`
	Found []string `json:"found,omitempty"` // evidence, one fact each
	Means string   `json:"means,omitzero"`
	Try   []string `json:"try,omitempty"`
	Exit  int      `json:"exit"`
	cause error
}

// Error returns what failed and the code.
func (f *failure) Error() string { return fmt.Sprintf("%s (%s)", f.What, f.Code) }

// Unwrap returns what caused it, or nil.
func (f *failure) Unwrap() error { return f.cause }

// write prints the failure for people.
func (f *failure) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Error: %s\n", f.Error())
	lines(&b, "found", f.Found)
	if f.Means != "" {
		lines(&b, "means", []string{f.Means})
	}
	lines(&b, "try", f.Try)
	_, err := io.WriteString(w, b.String())
	return err
}

func usage(format string, args ...any) *failure {
	return &failure{Exit: exitUsage, Code: "USAGE", What: fmt.Sprintf(format, args...)}
}

// checkFailed is the failure of a command whose report was its answer.
func checkFailed(what string) *failure {
	return &failure{Exit: exitCheck, Code: "CHECK_FAILED", What: what, cause: errReported}
}

// explain turns any error of a command into a failure. ctx is the command's own, with its --timeout; outer is the
// program's, which ends when somebody interrupts it.
func explain(outer, ctx context.Context, err error) *failure {
	if outer.Err() != nil {
		return &failure{
			Exit: exitInterrupted, Code: "INTERRUPTED", What: "interrupted", cause: err,
			Means: "what was sent before may have taken effect",
		}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if due, ok := ctx.Deadline(); ok && !time.Now().Before(due) { // a socket notices a moment before ctx.Err does
		return &failure{
			Exit: exitTimeout, Code: "TIMEOUT", What: "not done in time", cause: err,
			Means: "what was sent before may have taken effect", Try: []string{"a longer --timeout", "rounds doctor"},
		}
	}
	if c, ok := errors.AsType[*config.Error](err); ok {
		return misconfigured(c)
	}
	return classify(err)
}

func misconfigured(c *config.Error) *failure {
	f := &failure{
		Exit: exitUsage, Code: "CONFIG", What: "the environment is not usable", cause: c,
		Means: "nothing was started or changed",
		Try:   []string{"rounds sim --write-config DIR writes a complete environment for this machine"},
	}
	for _, p := range c.Problems() {
		f.Found = append(f.Found, p.String())
	}
	return f
}

// classify finds the exit code by what an error is. The texts of our packages' errors hold codes and names of settings
// only, so they may be shown.
func classify(err error) *failure {
	f := &failure{Exit: exitFailed, Code: "FAILED", What: err.Error(), cause: err}
	switch {
	case errors.Is(err, lifecycle.ErrDependency), errors.Is(err, redisconn.ErrUnavailable):
		f.Exit, f.Code = exitDependency, "DEPENDENCY"
		f.Means, f.Try = "nothing can be read or enqueued until it answers", []string{"rounds doctor"}
	case errors.Is(err, ledger.ErrNotFound):
		f.Exit, f.Code = exitNotFound, "NOT_FOUND"
	case errors.Is(err, ledger.ErrConflict):
		f.Exit, f.Code = exitConflict, "CONFLICT"
	case errors.Is(err, fs.ErrPermission):
		f.Exit, f.Code = exitNotAllowed, "NOT_ALLOWED"
	case errors.Is(err, context.DeadlineExceeded):
		f.Exit, f.Code = exitTimeout, "TIMEOUT"
	}
	return f
}
