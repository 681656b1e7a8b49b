package telemetry

import (
	"strconv"

	"go.opentelemetry.io/otel/attribute"
)

// Attr is one attribute of a span. Only the constructors of this package make one, so its key and
// the spelling of its value are always in the vocabulary. The zero value is ignored.
type Attr struct{ kv attribute.KeyValue }

// Tenant names the tenant by its public alias, "clinic-a".
func Tenant(id string) Attr { return text("tenant", id) }

// Kind names a task's kind, "schedule.sync".
func Kind(kind string) Attr { return text("kind", kind) }

// Lane names the queue that a task waits in, "sync".
func Lane(lane string) Attr { return text("lane", lane) }

// Task names a task by its ID, which consists of a lane and keyed digests.
func Task(id string) Attr { return text("task", id) }

// Operation names an operation of the vendor, "GetAppointments".
func Operation(name string) Attr { return text("operation", name) }

// Code names the cause of a failure, "throttled". An empty code means success and is ignored.
func Code(code string) Attr {
	if code == "" {
		return Attr{}
	}
	return text("code", code)
}

// Outcome names how an attempt of a task ended: "done", "retry", "later", "dead" or "expired".
func Outcome(outcome string) Attr { return text("outcome", outcome) }

// Reason names the cause of a wait, "pace".
func Reason(reason string) Attr { return text("reason", reason) }

// Class names a class of cached entries, "appointment".
func Class(class string) Attr { return text("class", class) }

// State names the state of a cached entry at its read, "fresh".
func State(state string) Attr { return text("state", state) }

// View names a kind of view, "day-board", never a single view.
func View(view string) Attr { return text("view", view) }

// Route names an operation of the API, "get-board", never the path of a request.
func Route(name string) Attr { return text("route", name) }

// Caller names an API key by the name that its operator chose, "front-desk".
func Caller(name string) Attr { return text("caller", name) }

// Status is the status of an HTTP response, 200.
func Status(code int) Attr { return text("status", strconv.Itoa(code)) }

// Attempt counts a task's attempts. The first is 1.
func Attempt(n int) Attr { return number("attempt", int64(n)) }

// Rows counts the rows that a call or query returned.
func Rows(n int) Attr { return number("rows", int64(n)) }

// Changed counts the rows that differ from their last known version.
func Changed(n int) Attr { return number("changed", int64(n)) }

// text returns an attribute whose value is spelled as the vocabulary requires for its key.
func text(key, value string) Attr {
	return Attr{attribute.String(key, vocabulary[key].clean(value))}
}

func number(key string, value int64) Attr {
	return Attr{attribute.Int64(key, value)}
}

// keyValues unpacks attributes and omits empty ones.
func keyValues(attrs []Attr) []attribute.KeyValue {
	kvs := make([]attribute.KeyValue, 0, len(attrs))
	for _, a := range attrs {
		if a.kv.Valid() {
			kvs = append(kvs, a.kv)
		}
	}
	return kvs
}
