package tebra

import (
	"context"
	"encoding/xml"
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
	op := &opGetThrottles
	var all []Throttle
	err := s.client.call(ctx, op, nil, func(r *reader, el xml.StartElement) error {
		if el.Name.Local != op.payload {
			return nil
		}
		return r.list("ThrottleDetail", func() error {
			t, err := r.throttle()
			if err == nil && t.Operation != "" {
				all = append(all, t)
			}
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (r *reader) throttle() (Throttle, error) {
	var t Throttle
	ok := true
	err := r.fields(func(name, value string) {
		switch name {
		case "Endpoint":
			t.Operation = strings.TrimSpace(value)
		case "ThrottleTimeMs":
			t.Interval, ok = milliseconds(value)
		}
	})
	if err == nil && !ok {
		err = shapeError("number")
	}
	return t, err
}

// milliseconds reads an xs:double. Anything negative, not a number or beyond an hour is no interval.
func milliseconds(text string) (time.Duration, bool) {
	ms, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(ms >= 0 && ms <= float64(time.Hour/time.Millisecond)) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}
