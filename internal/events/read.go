package events

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// ErrGap is returned when the log no longer holds everything after the cursor: it was trimmed or
// lost, or a server took over that may lack the log's end. The consumer takes a new cursor from
// Last and reads its state again.
var ErrGap = errors.New("events: the log does not reach back to the cursor")

// maxPage is the largest number of events that one readPage returns.
const maxPage = 1000

// Last returns the cursor from which a consumer that reads the current state now misses nothing: 0
// when the tenant has no log yet.
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

// readPage returns up to maxPage events after the cursor, oldest first, and the clock at which the
// epoch began. ErrGap means that events after the cursor are missing. An event that cannot be
// decoded is both ErrGap and ErrMalformed, since its content is missing too. A cursor of 0 reads
// whatever is retained and is never too old.
//
// One transaction reads both. With the log first, an event that also began the epoch could be
// appended in between and be skipped; with the epoch first, its loss could be skipped.
func readPage(ctx context.Context, rdb redis.UniversalClient, id tenant.ID, after uint64) ([]Event, uint64, error) {
	var rows *redis.XMessageSliceCmd
	var began *redis.SliceCmd
	_, err := rdb.TxPipelined(ctx, func(p redis.Pipeliner) error {
		rows = p.XRangeN(ctx, Key(id), "("+strconv.FormatUint(after, 10)+"-0", "+", maxPage)
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
