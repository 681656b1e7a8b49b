package redisconn

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
)

// embeddedRunID is the run id of servers that have none.
const embeddedRunID = "embedded"

// RunID returns the run id of the server, which changes when it restarts. For a cluster it returns
// the ids of all masters. An embedded server without a run id gives a constant.
func RunID(ctx context.Context, rdb redis.UniversalClient) (string, error) {
	infos, err := readInfo(ctx, rdb)
	if err != nil {
		return "", fmt.Errorf("read run id: %w", Clean(err))
	}
	ids := make([]string, 0, len(infos))
	for _, info := range infos {
		if id := info["run_id"]; id != "" {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return embeddedRunID, nil
	}
	slices.Sort(ids)
	return strings.Join(ids, ","), nil
}
