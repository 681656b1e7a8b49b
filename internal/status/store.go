package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// MaxBytes is the largest document that is written or read.
const MaxBytes = 256 << 10

// Limits of each part, in rows.
const (
	maxBudgets   = 500
	maxBreakers  = 200
	maxFreshness = 600
	maxWorkers   = 100
)

var (
	// ErrNone means that no scheduler has written a document within Life.
	ErrNone = errors.New("status: no document")
	// ErrMalformed means that the stored value is not a document.
	ErrMalformed = errors.New("status: malformed document")
)

func key() string { return tenant.GlobalKey("s1", "status", "document") }

// Write stores the document. It leaves out and counts the rows beyond the limits, so callers put
// the most important rows first.
func Write(ctx context.Context, rdb redis.UniversalClient, d Document) error {
	data, err := d.encode()
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	if err := rdb.Set(ctx, key(), data, Life).Err(); err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	return nil
}

func (d Document) encode() ([]byte, error) {
	d.truncate(maxBudgets, maxBreakers, maxFreshness, maxWorkers)
	for {
		data, err := json.Marshal(d)
		if err != nil || len(data) <= MaxBytes {
			return data, err
		}
		if len(d.Budgets)+len(d.Breakers)+len(d.Freshness)+len(d.Workers) == 0 {
			return nil, ErrMalformed
		}
		d.truncate(len(d.Budgets)/2, len(d.Breakers)/2, len(d.Freshness)/2, len(d.Workers)/2)
	}
}

// truncate keeps at most the given number of rows of each part and counts the others as omitted.
func (d *Document) truncate(budgets, breakers, freshness, workers int) {
	d.Budgets, d.Omitted = first(d.Budgets, budgets, d.Omitted)
	d.Breakers, d.Omitted = first(d.Breakers, breakers, d.Omitted)
	d.Freshness, d.Omitted = first(d.Freshness, freshness, d.Omitted)
	d.Workers, d.Omitted = first(d.Workers, workers, d.Omitted)
}

func first[T any](rows []T, n, omitted int) ([]T, int) {
	if len(rows) <= n {
		return rows, omitted
	}
	return rows[:n], omitted + len(rows) - n
}

// Read returns the document and its age by Redis' clock: ErrNone if there is none, ErrMalformed if
// it cannot be decoded.
func Read(ctx context.Context, rdb redis.UniversalClient) (Document, time.Duration, error) {
	var data *redis.StringCmd
	var left *redis.DurationCmd
	_, err := rdb.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		data = pipe.GetRange(ctx, key(), 0, MaxBytes) // one byte more than allowed
		left = pipe.PTTL(ctx, key())
		return nil
	})
	if err != nil {
		return Document{}, 0, fmt.Errorf("read status: %w", err)
	}
	if data.Val() == "" {
		return Document{}, 0, ErrNone
	}
	d, err := decode([]byte(data.Val()))
	if err != nil {
		return Document{}, 0, err
	}
	return d, max(0, Life-max(0, left.Val())), nil
}

// decode accepts unknown members: the scheduler may be newer than the reader.
func decode(data []byte) (Document, error) {
	var d Document
	if len(data) > MaxBytes || json.Unmarshal(data, &d) != nil {
		return Document{}, ErrMalformed
	}
	if d.At.IsZero() {
		return Document{}, ErrMalformed
	}
	return d, nil
}
