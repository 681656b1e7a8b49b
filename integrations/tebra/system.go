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
	l := listing[Throttle, Throttle]{
		op: &opGetThrottles, item: "ThrottleDetail", columns: throttleColumns, finish: itself[Throttle],
		hasID: func(t *Throttle) bool { return t.Operation != "" },
	}
	all, err := l.all(ctx, s.client)
	return all.rows, err
}

var throttleColumns = newRecord(nil, map[string]func(*Throttle, *cell){
	"Endpoint": func(t *Throttle, c *cell) { t.Operation = cmp.Or(contractNames[c.trimmed()], c.trimmed()) },
	"ThrottleTimeMs": func(t *Throttle, c *cell) {
		var ok bool
		if t.Interval, ok = milliseconds(string(c.value)); !ok {
			c.setAside(SetAsideNumber)
		}
	},
}, nil)

// milliseconds reads an xs:double. Values that are negative, not numbers, or longer than an hour
// are rejected.
func milliseconds(text string) (time.Duration, bool) {
	ms, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
	if err != nil || !(ms >= 0 && ms <= float64(time.Hour/time.Millisecond)) {
		return 0, false
	}
	return time.Duration(ms * float64(time.Millisecond)), true
}

// isNumber reports whether text is an xs:int, or empty.
func isNumber(text string) bool {
	_, err := strconv.ParseInt(text, 10, 32)
	return err == nil || text == ""
}

// CustomerID returns the vendor's number of the account that the credentials belong to
// (GetCustomerIdFromKey). It is the cheapest way to check credentials: if they are wrong, the error
// is Unauthenticated.
func (s *SystemService) CustomerID(ctx context.Context) (string, error) {
	op := &opGetCustomerIDFromKey
	id, hasFlag, authorized := "", false, false
	err := s.client.call(ctx, op, nil, func(r *reader, el xml.Name) (err error) {
		switch el.Local {
		case op.payload:
			id, err = r.word()
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
		case !isNumber(id), authorized && !isIdentifier(id, 32): // -1 answers a request of the wrong shape too
			return Malformed, "id"
		case !authorized:
			return Unauthenticated, ""
		}
		return "", ""
	})
	if err != nil {
		return "", err
	}
	return id, nil
}
