package tebra

import (
	"cmp"
	"context"
	"encoding/xml"
	"strconv"
	"strings"
	"time"
)

// SystemService reads information about the account itself.
type SystemService struct{ client *Client }

// Throttle is the limit on calls of one operation: one call per Interval.
type Throttle struct {
	Operation string // as in the WSDL, although the vendor's table spells two names differently
	Interval  time.Duration
}

// contractNames maps names in the vendor's table of throttles to names in its contract, where the
// two differ.
var contractNames = map[string]string{"GetProcedureCode": "GetProcedureCodes", "CreatePayments": "CreatePayment"}

// Throttles returns the intervals in force (GetThrottles). The operation is itself limited to one
// call in 5 s.
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

// milliseconds reads an xs:double. Values that are negative, not numbers, or longer than an hour
// are rejected.
func milliseconds(text string) (time.Duration, bool) {
	ms, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(ms >= 0 && ms <= float64(time.Hour/time.Millisecond)) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}

// CustomerID returns the vendor's number of the account that the credentials belong to
// (GetCustomerIdFromKey). It is the cheapest way to check credentials: if they are wrong, the error
// is Unauthenticated.
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
		case !isIdentifier(id, 32): // also the vendor's response to a request of the wrong shape
			return Malformed, "id"
		}
		return "", ""
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
