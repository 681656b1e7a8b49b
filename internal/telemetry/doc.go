// Package telemetry and the packages below it are the only ones that use OpenTelemetry. Whatever
// leaves a process as a span, a metric or a log line passes through them and is held to a closed
// vocabulary.
//
// # Why a closed vocabulary
//
// Many people can read the systems that store spans, metrics and logs, so no patient may appear
// there. Reviews of every call site cannot ensure that for long. Instead, only this package can
// make an [Attr], and each constructor checks the spelling of its value. A value with another
// spelling becomes "[invalid]": the mistake stays visible, the value does not. Span names, metric
// instruments and their labels are closed in the same way. A span carries the code of an error,
// never its text.
//
// Log lines come from slog, whose keys are free. [NewLogHandler] passes the keys of the vocabulary
// and replaces the value of every other key by "[dropped]".
//
// # How a span reaches its exporter
//
// [New] returns a [Telemetry] that records to OpenTelemetry providers. [With] puts it into a
// context, where [Start] and the metric functions find it. There is no global state, so two tests,
// or two processes that run in one demo, never see each other's spans. A context without Telemetry
// records nothing.
//
// Package export makes the providers of a process. It links the OpenTelemetry SDK and its
// exporters, which this package does not. A service that only enqueues tasks therefore stays small.
// Package logging sets up a process's log.
//
// # One trace through the queue
//
// [Inject] writes the current span into a task's headers, and [Extract] reads it back: the work
// becomes a child of the demand. Work that runs much later, or for several demands, uses [Link]. It
// starts a trace of its own that links to the demand's.
package telemetry
