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

// newHealth calls a probe, for container images that have no shell and no curl.
func newHealth(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "health URL",
		Short: "Call the health probe of a process",
		Long: `Call one probe (/livez, /startupz or /readyz of a worker, scheduler, gateway or monitor). The exit code is 0 if the
process is healthy, 7 if it is not, and 6 if the probe does not answer. This is the health check of the container
image, which has no shell and no HTTP client.`,
		Example: "  rounds health http://127.0.0.1:8081/readyz --timeout 2s",
		Args:    names("URL"),
		RunE:    func(cmd *cobra.Command, args []string) error { return e.health(cmd.Context(), args[0]) },
	}
}

// maxProbe bounds the response that is read; a probe's response is one word.
const maxProbe = 4 << 10

func (e *env) health(ctx context.Context, address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil {
		return usage("the URL must look like http://127.0.0.1:8081/readyz")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return usage("the URL must look like http://127.0.0.1:8081/readyz")
	}
	// Redirects are not followed and proxies of the environment are not used: the response must
	// come from the process.
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
			Means: "the process is not running, or serves its probes at another address (ROUNDS_HEALTH_ADDR)",
		}
	}
	defer func() { _ = res.Body.Close() }()
	_, _ = io.CopyN(io.Discard, res.Body, maxProbe)
	if res.StatusCode < 200 || res.StatusCode > 299 {
		return &failure{
			Exit: exitCheck, Code: "NOT_WELL", What: "the probe returns " + strconv.Itoa(res.StatusCode),
			Means: "the process is starting, draining or unhealthy; see its log",
		}
	}
	return e.answer(map[string]any{"ok": true, "status": res.StatusCode}, func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "ok")
	})
}
