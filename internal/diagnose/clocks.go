package diagnose

import (
	"context"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Calendar decisions use this host's clock; leases, pace and cache use Redis'. A difference shifts
// scheduled work by the same amount, and a difference of minutes makes a fresh board look stale.
const (
	skewWarn = time.Second
	skewFail = 30 * time.Second
)

// checkClocks compares this host's clock with that of each Redis. The database's clock does not
// matter, because the process that writes to the ledger supplies every timestamp.
func checkClocks(ctx context.Context, d *deployment) []Finding {
	return []Finding{
		compareClock(ctx, d.queue, "clock-queue-redis"),
		compareClock(ctx, d.cache, "clock-cache-redis"),
	}
}

func compareClock(ctx context.Context, rdb redis.UniversalClient, check string) Finding {
	if rdb == nil {
		return skipped(check, "the URL is not usable")
	}
	if err := rdb.Ping(ctx).Err(); err != nil { // so that connecting does not count as travel time
		return skipped(check, "the server does not answer")
	}
	sent := time.Now()
	theirs, err := rdb.Time(ctx).Result()
	if err != nil {
		return skipped(check, "the server does not return its time")
	}
	return gradeClock(check, sent, theirs, time.Since(sent))
}

// gradeClock compares a server's time with this host's. The server read its clock between sent and
// sent plus travel.
func gradeClock(check string, sent, theirs time.Time, travel time.Duration) Finding {
	skew := theirs.Sub(sent.Add(travel / 2)).Round(time.Millisecond)
	f := Finding{
		Check: check, Grade: OK,
		Evidence: fmt.Sprintf("differs from this host's clock by %s, ± %s", skew, (travel / 2).Round(10*time.Microsecond)),
		Means:    "leases, pace and cache use Redis' clock; calendars use this host's",
	}
	switch off := skew.Abs(); {
	case off > skewFail:
		f.Grade, f.Fix = Fail, "synchronize both clocks (chrony, or the platform's time service)"
	case off > skewWarn:
		f.Grade, f.Fix = Warn, "synchronize both clocks (chrony, or the platform's time service)"
	}
	return f
}
