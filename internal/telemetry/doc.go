// Package telemetry is the one place where Rounds speaks to OpenTelemetry and
// sets up its log. What leaves the process as a span, a metric or a log line
// leaves through here, and through a closed vocabulary.
//
// # Why a closed vocabulary
//
// Spans, metrics and logs go to systems that many people can read, and no
// patient may appear there. Reviewing every call site for ever is a promise
// nobody keeps, so there is nothing to review: an attribute is an [Attr],
// only this package can make one, and each constructor knows which spelling
// its value may have. A value of another spelling becomes "[invalid]": the
// mistake stays visible, the value does not. Span names, metric instruments
// and their labels are closed in the same way. No span carries an error's
// text, only its code.
//
// Log lines come from slog and have free keys by nature. The handler behind
// [NewLogger] passes the keys of the vocabulary and replaces the value of
// every other key by "[dropped]".
//
// # How a span finds its exporter
//
// [Setup] returns a [Telemetry], and [With] puts it in a context; [Start] and
// the metric functions take it from there. Nothing is global, so that two
// tests, or two processes played by one demo, never see each other's spans.
// A context without Telemetry records nothing and costs nothing.
//
// # One trace through the queue
//
// [Inject] writes the current span into a task's headers and [Extract] reads
// it back: the work becomes a child of the demand. Work that ran much later,
// or on behalf of several demands, uses [Link] instead and starts a trace of
// its own that points at the first.
package telemetry
