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

// failure is an error as operators see it. Its texts contain no secrets and no patient data.
type failure struct {
	Code  string   `json:"code"` // stable; for scripts and searches
	What  string   `json:"what"`
	Found []string `json:"found,omitempty"` // evidence, one fact each
	Means string   `json:"means,omitzero"`
	Try   []string `json:"try,omitempty"`
	Exit  int      `json:"exit"`
	cause error
}

// Error returns what failed, and the code.
func (f *failure) Error() string { return fmt.Sprintf("%s (%s)", f.What, f.Code) }

// Unwrap returns the cause, or nil.
func (f *failure) Unwrap() error { return f.cause }

// write prints the failure for people.
func (f *failure) write(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Error: %s\n", printable(f.Error()))
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

// checkFailed is the failure of a command that has reported it in its result.
func checkFailed(what string) *failure {
	return &failure{Exit: exitCheck, Code: "CHECK_FAILED", What: what, cause: errReported}
}

// explain converts any error of a command to a failure. ctx is the command's context, with
// --timeout; outer is the program's, which ends on an interrupt.
func explain(outer, ctx context.Context, err error) *failure {
	if outer.Err() != nil {
		return &failure{
			Exit: exitInterrupted, Code: "INTERRUPTED", What: "interrupted", cause: err,
			Means: "earlier steps may have taken effect",
		}
	}
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if due, ok := ctx.Deadline(); ok && !time.Now().Before(due) { // a socket may time out just before ctx
		return &failure{
			Exit: exitTimeout, Code: "TIMEOUT", What: "not finished in time", cause: err,
			Means: "earlier steps may have taken effect", Try: []string{"use a longer --timeout", "rounds doctor"},
		}
	}
	if c, ok := errors.AsType[*config.Error](err); ok {
		return misconfigured(c)
	}
	return classify(err)
}

func misconfigured(c *config.Error) *failure {
	f := &failure{
		Exit: exitUsage, Code: "CONFIG", What: "the configuration is not usable", cause: c,
		Means: "nothing was started or changed",
		Try:   []string{"rounds sim --write-config DIR writes a complete environment for this machine"},
	}
	for _, p := range c.Problems() {
		f.Found = append(f.Found, p.String())
	}
	return f
}

// classify selects the exit code for an error. The texts of the project's errors contain only codes
// and names of settings and may be shown.
func classify(err error) *failure {
	f := &failure{Exit: exitFailed, Code: "FAILED", What: err.Error(), cause: err}
	switch {
	case errors.Is(err, lifecycle.ErrDependency), errors.Is(err, redisconn.ErrUnavailable):
		f.Exit, f.Code = exitDependency, "DEPENDENCY"
		f.Means, f.Try = "reads and enqueues fail until it answers", []string{"rounds doctor"}
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
