package tebra

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"hash/maphash"
	"mime"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	retryWithin = 2 * time.Second // how long the door itself keeps trying a call that was not sent
	maxVoids    = 3               // grants in a row that may come too late before the door gives up
)

// call is the one door to the vendor: Gate, HTTP, bounded and strict reading, one verdict, observation. Every method of
// every service goes through it and has no other way out.
//
// body writes the members of the request after its header; nil writes none. read is handed each member of the result but the
// error and security parts; it runs at most once per call and member, since an attempt that got as far is never repeated here.
// Its results mean nothing unless call returns nil. done, unless nil, has the last word about an answer that was read to its
// end: whether what read put together is what was asked for. "" accepts it.
func (c *Client) call(ctx context.Context, op *Operation, body func(*writer),
	read func(r *reader, el xml.StartElement) error, done func() (Code, string),
) error {
	end := func(Code) {}
	if c.options.Trace != nil {
		ctx, end = c.options.Trace(ctx, op.Name)
	}
	start := time.Now()
	seen := Observation{
		Account: c.options.Account, Operation: op.Name, Class: op.Class, PHI: op.PHI, Interactive: isInteractive(ctx),
		Code: Unknown,
	}
	defer func() { // also when read panics
		seen.Latency = time.Since(start)
		if c.options.Observe != nil {
			c.options.Observe(ctx, seen)
		}
		end(seen.Code)
	}()
	request, err := encode(op, c.options.Credentials, body)
	if err != nil {
		seen.Code, seen.Reason = Invalid, "text"
		return refuse(op, "text")
	}
	err = c.attempts(ctx, op, request, exchanger{read, done}, &seen)
	seen.Code, seen.Reason = "", ""
	var failed *Error
	switch {
	case errors.As(err, &failed):
		seen.Code, seen.Reason, seen.Sent = failed.Code, failed.Reason, failed.Sent
	case err != nil:
		seen.Code = Refused
	default:
		seen.Sent = true
	}
	return err
}

// refuse is the error of a request that this client does not send.
func refuse(op *Operation, reason string) *Error {
	return &Error{Code: Invalid, Operation: op.Name, Reason: reason}
}

// exchanger is what a method makes of an answer; see call.
type exchanger struct {
	read func(r *reader, el xml.StartElement) error
	done func() (Code, string)
}

// attempts repeats what was not sent, for as long as retryWithin. Whatever the vendor may have seen is the caller's to
// repeat, who knows whether that is safe and what else waits.
func (c *Client) attempts(ctx context.Context, op *Operation, request []byte, e exchanger, seen *Observation) error {
	var last error
	waiting := false
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(500*time.Millisecond),
		backoff.WithMaxElapsedTime(retryWithin))
	_ = backoff.Retry(func() error { // its error is last, or the context's, which says less
		seen.Attempts++
		last = c.attempt(ctx, op, request, e, seen)
		var failed *Error
		waiting = errors.As(last, &failed) && !failed.Sent && failed.Code == Unavailable && failed.Reason != "void" && ctx.Err() == nil
		if waiting {
			return last
		}
		return backoff.Permanent(last)
	}, backoff.WithContext(pause, ctx))
	if waiting && ctx.Err() != nil {
		return ended(op, ctx.Err()) // the caller left between two attempts
	}
	return last
}

// attempt is one grant of the Gate and what was made of it.
func (c *Client) attempt(ctx context.Context, op *Operation, request []byte, e exchanger, seen *Observation) error {
	pass, err := c.enter(ctx, op, request, seen.Interactive)
	if err != nil {
		return err
	}
	out := Outcome{Code: Unknown}
	defer func() {
		if pass != nil {
			pass.Done(context.WithoutCancel(ctx), out)
		}
	}()
	if err := ctx.Err(); err != nil {
		failed := ended(op, err)
		out = Outcome{Code: failed.Code, NotSent: true, Void: true}
		return failed
	}
	start := time.Now()
	seen.Sent = true // whoever reads rows may panic, and has read them
	a := c.exchange(ctx, op, request, e.read)
	seen.Sent, seen.Bytes, seen.Rows = a.sent, a.bytes, a.rows
	code, reason := a.classify()
	if code == "" && e.done != nil {
		code, reason = e.done()
	}
	out = Outcome{Code: code, NotSent: !a.sent}
	if a.sent {
		out.Latency = time.Since(start)
	}
	if code == "" {
		return nil
	}
	if code == Throttled {
		out.Interval = a.interval()
	}
	return &Error{
		Code: code, Operation: op.Name, Reason: reason, Sent: a.sent, Interval: out.Interval, Status: a.status,
		cause: a.ended,
	}
}

func ended(op *Operation, err error) *Error {
	a := answer{ended: err}
	code, _ := a.classify()
	return &Error{Code: code, Operation: op.Name, cause: sentinel(err)}
}

// sentinel reduces a context's error to one of the two that say nothing else.
func sentinel(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// fingerprints is random for each process, so that a fingerprint cannot be compared with anything outside of it.
var fingerprints = maphash.MakeSeed()

// enter asks the Gate until a grant is still good. A nil Gate grants everything and hears nothing.
func (c *Client) enter(ctx context.Context, op *Operation, request []byte, interactive bool) (Pass, error) {
	if c.options.Gate == nil {
		return nil, nil //nolint:nilnil // no Gate, no Pass: attempt knows
	}
	call := Call{
		Account: c.options.Account, Operation: op.Name, Class: op.Class, Interval: op.Interval, Interactive: interactive,
		Fingerprint: maphash.Bytes(fingerprints, request),
	}
	for range maxVoids {
		pass, err := c.options.Gate.Enter(ctx, call)
		if err != nil {
			var later interface{ NotBefore() (time.Time, string) }
			if ctx.Err() != nil && !errors.As(err, &later) {
				return nil, ended(op, ctx.Err())
			}
			return nil, err
		}
		if by := pass.SendBy(); by.IsZero() || time.Now().Before(by) {
			return pass, nil
		}
		pass.Done(context.WithoutCancel(ctx), Outcome{NotSent: true, Void: true})
	}
	return nil, &Error{Code: Unavailable, Operation: op.Name, Reason: "void"}
}

// exchange sends the request and reads the answer, within the operation's own deadline.
func (c *Client) exchange(parent context.Context, op *Operation, request []byte,
	read func(*reader, xml.StartElement) error,
) (a answer) {
	ctx, cancel := context.WithTimeout(parent, op.Timeout)
	defer cancel()
	defer func() {
		// An answer that was read to its end counts even if the deadline struck meanwhile.
		if a.broken != nil || errors.Is(a.shape, errCut) {
			a.ended = sentinel(ctx.Err())
		}
	}()
	var w wire
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, w.trace()), http.MethodPost, c.endpoint,
		bytes.NewReader(request))
	if err != nil {
		return answer{broken: err}
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("SOAPAction", `"`+nsKareo+"KareoServices/"+op.Name+`"`)
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{broken: err, sent: !w.unsent() && !undialled(err)}
	}
	defer resp.Body.Close()
	a.sent, a.status = true, resp.StatusCode
	a.media, _, _ = mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if worthReading := a.status == http.StatusOK || a.status >= 400; !worthReading || a.media != "" && !isXML(a.media) {
		return a
	}
	r := newReader(resp.Body, c.options.MaxBytes)
	a.headless = op.headless
	a.reply, a.shape = r.envelope(op, func(el xml.StartElement) error { return read(r, el) })
	a.bytes, a.rows = r.guard.n, r.rows
	return a
}

// wire watches how far a request got. A transport that reports nothing (a test's, a proxy's) counts as having sent.
type wire struct{ asked, wrote atomic.Bool }

func (w *wire) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { w.asked.Store(true) },
		WroteHeaders: func() { w.wrote.Store(true) },
	}
}

func (w *wire) unsent() bool { return w.asked.Load() && !w.wrote.Load() }
