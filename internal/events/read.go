package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ErrGap is returned when the log no longer holds everything after the cursor: it was trimmed, lost, or taken over by a
// server that may have missed its end. The consumer takes a new cursor from Last and reads its state anew.
var ErrGap = errors.New("events: the log does not reach back to the cursor")

// maxPage is the most events that one Read returns.
const maxPage = 1000

// Last returns the cursor from which a consumer that reads the current state now will miss nothing: 0 when the tenant
// has no timeline yet.
func Last(ctx context.Context, rdb redis.UniversalClient, id tenant.ID) (uint64, error) {
	var last *redis.XMessageSliceCmd
	var began *redis.SliceCmd
	_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		last = p.XRevRangeN(ctx, Key(id), "+", "-", 1)
		began = p.HMGet(ctx, metaKey(id), "f")
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("read end of event log: %w", err)
	}
	cursor, err := epochStart(began)
	if err != nil {
		return 0, err
	}
	for _, m := range last.Val() {
		clock, ok := parseID(m.ID)
		if !ok {
			return 0, malformed("id")
		}
		cursor = max(cursor, clock)
	}
	return cursor, nil
}

// Read returns up to limit events after the cursor, oldest first; none when there are none yet. A limit below 1 or above
// 1000 means 1000. ErrGap says that events after the cursor are missing; an event that cannot be decoded is ErrGap and
// ErrMalformed both, since what it said is missing too. A cursor of 0 gets what is retained and never ErrGap for its age.
func Read(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64, limit int) ([]Event, error) {
	evs, _, err := readPage(ctx, rdb, id, after, limit)
	return evs, err
}

// readPage is Read that also tells the clock at which the epoch began. Both are read in one transaction: with the log
// first, an event that also began the epoch could come between and be skipped; with the epoch first, its loss would be.
func readPage(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64, limit int) ([]Event, uint64, error) {
	if limit < 1 || limit > maxPage {
		limit = maxPage
	}
	var rows *redis.XMessageSliceCmd
	var began *redis.SliceCmd
	_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		rows = p.XRangeN(ctx, Key(id), "("+strconv.FormatUint(after, 10)+"-0", "+", int64(limit))
		began = p.HMGet(ctx, metaKey(id), "f")
		return nil
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read event log: %w", err)
	}
	start, err := epochStart(began)
	if err != nil {
		return nil, 0, err
	}
	if after > 0 && (start == 0 || start > after) {
		return nil, start, ErrGap
	}
	evs, err := decodePage(rows.Val(), after)
	return evs, start, err
}

func decodePage(rows []redis.XMessage, after uint64) ([]Event, error) {
	evs := make([]Event, 0, len(rows))
	for _, m := range rows {
		ev, err := Decode(m)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrGap, err)
		}
		if after > 0 && ev.Prev > after {
			return nil, ErrGap
		}
		evs = append(evs, ev)
		after = ev.Clock
	}
	return evs, nil
}

func epochStart(c *redis.SliceCmd) (uint64, error) {
	v := c.Val()
	if len(v) != 1 || v[0] == nil {
		return 0, nil
	}
	s, _ := v[0].(string)
	n, ok := parseClock(s)
	if !ok {
		return 0, malformed("epoch start")
	}
	return n, nil
}
