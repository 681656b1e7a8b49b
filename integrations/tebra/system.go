package tebra

import (
	"context"
	"strconv"
	"strings"
	"time"
)

// SystemService asks about the account itself.
type SystemService struct{ client *Client }

// Throttle is how often the account may call one operation: once per Interval. The vendor's names for two operations
// differ from those of its own contract (GetProcedureCode, CreatePayments).
type Throttle struct {
	Operation string
	Interval  time.Duration
}

// Throttles returns the intervals in force (GetThrottles: the per-endpoint throttle intervals). It is throttled itself,
// to one call in 5 s.
func (s *SystemService) Throttles(ctx context.Context) ([]Throttle, error) {
	l := listing[Throttle]{
		op: &opGetThrottles, item: "ThrottleDetail", decode: throttleColumns.row,
		real: func(t *Throttle) bool { return t.Operation != "" },
	}
	rows, _, err := l.all(ctx, s.client)
	return rows, err
}

var throttleColumns = record[Throttle]{cells: map[string]func(*Throttle, *cell){
	"Endpoint": func(t *Throttle, c *cell) { t.Operation = c.trimmed() },
	"ThrottleTimeMs": func(t *Throttle, c *cell) {
		var ok bool
		if t.Interval, ok = milliseconds(c.value); !ok {
			c.complain("number")
		}
	},
}}

// milliseconds reads an xs:double. Anything negative, not a number or beyond an hour is no interval.
func milliseconds(text string) (time.Duration, bool) {
	ms, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(ms >= 0 && ms <= float64(time.Hour/time.Millisecond)) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}
