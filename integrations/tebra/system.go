package tebra

import (
	"cmp"
	"context"
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

// SystemService asks about the account itself.
type SystemService struct{ client *Client }

// Throttle is how often the account may call one operation: once per Interval.
type Throttle struct {
	Operation string // as in the WSDL; the vendor's table calls two of them otherwise
	Interval  time.Duration
}

// spelled is what the vendor's table of throttles calls what its contract calls otherwise.
var contractNames = map[string]string{"GetProcedureCode": "GetProcedureCodes", "CreatePayments": "CreatePayment"}

// Throttles returns the intervals in force (GetThrottles: the per-endpoint throttle intervals). It is throttled itself,
// to one call in 5 s.
func (s *SystemService) Throttles(ctx context.Context) ([]Throttle, error) {
	l := listing[Throttle]{
		op: &opGetThrottles, item: "ThrottleDetail", decode: throttleColumns.row,
		hasID: func(t *Throttle) bool { return t.Operation != "" },
	}
	rows, _, err := l.all(ctx, s.client)
	return rows, err
}

var throttleColumns = record[Throttle]{cells: map[string]func(*Throttle, *cell){
	"Endpoint": func(t *Throttle, c *cell) { t.Operation = cmp.Or(contractNames[c.trimmed()], c.trimmed()) },
	"ThrottleTimeMs": func(t *Throttle, c *cell) {
		var ok bool
		if t.Interval, ok = milliseconds(c.value); !ok {
			c.fail("number")
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

// CustomerID returns the vendor's number of the account that the credentials open (GetCustomerIdFromKey). It is the
// cheapest question by which to find out whether they do: its error is Unauthenticated when they do not.
func (s *SystemService) CustomerID(ctx context.Context) (string, error) {
	op := &opGetCustomerIDFromKey
	id, hasFlag, authorized := "", false, false
	err := s.client.call(ctx, op, nil, func(r *reader, el xml.StartElement) (err error) {
		switch el.Name.Local {
		case op.payload:
			id, err = r.text()
			id = strings.TrimSpace(id)
		case "IsAuthorized":
			hasFlag = true
			authorized, err = r.boolean()
		}
		return err
	}, func() (Code, string) {
		switch {
		case !hasFlag:
			return Malformed, "payload"
		case !authorized:
			return Unauthenticated, ""
		case !isIdentifier(id, 32): // -1 comes for a request of another shape, too
			return Malformed, "id"
		}
		return "", ""
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
