package cli

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/spf13/cobra"
)

// newHealth asks a probe, for containers that hold nothing else that could: no shell, no curl.
func newHealth(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "health URL",
		Short: "Ask a process's probe whether it is well",
		Long: `Ask one probe (/livez, /startupz or /readyz of a worker, scheduler, gateway or monitor) and end with 0 when the
answer is a good one, with 7 when it is not, and with 6 when there is none. It is the health check of the
container image, which holds no shell and no other program that could ask.`,
		Example: "  rounds health http://127.0.0.1:8081/readyz --timeout 2s",
		Args:    names("URL"),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.health(cmd.Context(), args[0]) },
	}
}

// maxProbe is far above the one word of a probe's answer; the rest is not read.
const maxProbe = 4 << 10

func (e *env) health(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return usage("the probe's address must be like http://127.0.0.1:8081/readyz")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return usage("the probe's address must be like http://127.0.0.1:8081/readyz")
	}
	// A probe answers for itself: a redirect would ask somebody else, and a proxy of the environment is not on the way to
	// one's own machine.
	c := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := c.Do(req)
	if err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil {
		return &failure{
			Exit: exitDependency, Code: "NO_ANSWER", What: "the probe does not answer", cause: err,
			Means: "the process does not run, or serves its probes elsewhere (ROUNDS_HEALTH_ADDR)",
		}
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxProbe)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &failure{
			Exit: exitCheck, Code: "NOT_WELL", What: "the probe answers " + strconv.Itoa(res.StatusCode),
			Means: "the process is starting, draining, or not well; its log says more",
		}
	}
	return e.answer(map[string]any{"ok": true, "status": res.StatusCode}, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "ok")
	})
}
