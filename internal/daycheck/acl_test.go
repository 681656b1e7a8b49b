//go:build deploy

package daycheck

import (
	"testing"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/secret"
)

// TestDayUnderACL plays the whole day on the Redis configuration of docker-compose.yml, with a user
// for each process. The servers must not refuse any command.
func TestDayUnderACL(t *testing.T) {
	t.Parallel()
	const files = "../../deploy/redis/"
	queue := redistest.Start(t, files+"redis-queue.conf", files+"users-queue.acl")
	cache := redistest.Start(t, files+"redis-cache.conf", files+"users-cache.acl")
	report, err := Run(t.Context(), Options{
		// The demo clears the databases it uses, which none of the configured users may do.
		QueueURL: queue.RootURL(), CacheURL: cache.RootURL(),
		Login: func(process string) config.Redis {
			password := process + "-dev"
			return config.Redis{Queue: secret.Value(queue.URL(process, password)), Cache: secret.Value(cache.URL(process, password))}
		},
	})
	if err != nil {
		t.Error(err)
	}
	for _, s := range report.Steps {
		if !s.OK {
			t.Errorf("%s: %s", s.Name, s.Detail)
		}
	}
	if n := len(report.Steps); n < 12 {
		t.Errorf("only %d steps were played", n)
	}
	for _, r := range append(queue.Refusals(t), cache.Refusals(t)...) {
		t.Errorf("refused: %s", r)
	}
}
