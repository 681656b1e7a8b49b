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
	retryWithin   = 2 * time.Second // how long the door itself keeps trying a call that was not sent
	maxLateGrants = 3               // grants in a row that may come too late before the door gives up
)

// call is the one door to the vendor: Gate, HTTP, bounded and strict reading, one verdict, observation. Every method of
// every service goes through it and has no other way out.
//
// body writes the members of the request after its header; nil writes none. read is handed each member of the result but the
// error and security parts; it runs at most once per call and member, since an attempt that got as far is never repeated here.
// Its results mean nothing unless call returns nil. done, unless nil, has the last word about an answer that was read to its
// end: whether what read put together is what was asked for. "" accepts it.
func (c *Client) call(ctx context.Context, op *Operation, body func(*writer),
	readMember func(r *reader, el xml.StartElement) error, validate func() (Code, string),
) error {
	endTrace := func(Code) {}
	if c.options.Trace != nil {
		ctx, endTrace = c.options.Trace(ctx, op.Name)
	}
	start := time.Now()
	obs := Observation{
		Account: c.options.Account, Operation: op.Name, Class: op.Class, PHI: op.PHI, Interactive: isInteractive(ctx),
		Code: Unknown,
	}
	defer func() { // also when read panics
		obs.Latency = time.Since(start)
		if c.options.Observe != nil {
			c.options.Observe(ctx, obs)
		}
		endTrace(obs.Code)
	}()
	request, err := encode(op, c.options.Credentials, body)
	if err != nil {
		obs.Code, obs.Reason = Invalid, "text"
		return invalidRequest(op, "text")
	}
	err = c.attempts(ctx, op, request, responseHandler{readMember, validate}, &obs)
	obs.Code, obs.Reason = "", ""
	var callErr *Error
	switch {
	case errors.As(err, &callErr):
		obs.Code, obs.Reason, obs.Sent = callErr.Code, callErr.Reason, callErr.Sent
	case err != nil:
		obs.Code = Refused
	default:
		obs.Sent = true
	}
	return err
}

// refuse is the error of a request that this client does not send.
func invalidRequest(op *Operation, reason string) *Error {
	return &Error{Code: Invalid, Operation: op.Name, Reason: reason}
}

// exchanger is what a method makes of an answer; see call.
type responseHandler struct {
	readMember func(r *reader, el xml.StartElement) error
	validate   func() (Code, string)
}

// attempts repeats what was not sent, for as long as retryWithin. Whatever the vendor may have seen is the caller's to
// repeat, who knows whether that is safe and what else waits.
func (c *Client) attempts(ctx context.Context, op *Operation, request []byte, handler responseHandler, obs *Observation) error {
	var lastErr error
	retrying := false
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(500*time.Millisecond),
		backoff.WithMaxElapsedTime(retryWithin))
	_ = backoff.Retry(func() error { // its error is last, or the context's, which says less
		obs.Attempts++
		lastErr = c.attempt(ctx, op, request, handler, obs)
		var callErr *Error
		retrying = errors.As(lastErr, &callErr) && !callErr.Sent && callErr.Code == Unavailable && callErr.Reason != "void" && ctx.Err() == nil
		if retrying {
			return lastErr
		}
		return backoff.Permanent(lastErr)
	}, backoff.WithContext(pause, ctx))
	if retrying && ctx.Err() != nil {
		return contextError(op, ctx.Err()) // the caller left between two attempts
	}
	return lastErr
}

// attempt is one grant of the Gate and what was made of it.
func (c *Client) attempt(ctx context.Context, op *Operation, request []byte, handler responseHandler, obs *Observation) error {
	pass, err := c.enter(ctx, op, request, obs.Interactive)
	if err != nil {
		return err
	}
	outcome := Outcome{Code: Unknown}
	defer func() {
		if pass != nil {
			pass.Done(context.WithoutCancel(ctx), outcome)
		}
	}()
	if err := ctx.Err(); err != nil {
		callErr := contextError(op, err)
		outcome = Outcome{Code: callErr.Code, NotSent: true, Void: true}
		return callErr
	}
	start := time.Now()
	obs.Sent = true // whoever reads rows may panic, and has read them
	resp := c.exchange(ctx, op, request, handler.readMember)
	obs.Sent, obs.Bytes, obs.Rows = resp.sent, resp.bytes, resp.rows
	code, reason := resp.classify()
	if code == "" && handler.validate != nil {
		code, reason = handler.validate()
	}
	outcome = Outcome{Code: code, NotSent: !resp.sent}
	if resp.sent {
		outcome.Latency = time.Since(start)
	}
	if code == "" {
		return nil
	}
	if code == Throttled {
		outcome.Interval = resp.interval()
	}
	return &Error{
		Code: code, Operation: op.Name, Reason: reason, Sent: resp.sent, Interval: outcome.Interval, Status: resp.status,
		cause: resp.ctxErr,
	}
}

func contextError(op *Operation, err error) *Error {
	resp := response{ctxErr: err}
	code, _ := resp.classify()
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
var fingerprintSeed = maphash.MakeSeed()

// enter asks the Gate until a grant is still good. A nil Gate grants everything and hears nothing.
func (c *Client) enter(ctx context.Context, op *Operation, request []byte, interactive bool) (Pass, error) {
	if c.options.Gate == nil {
		return nil, nil //nolint:nilnil // no Gate, no Pass: attempt knows
	}
	call := Call{
		Account: c.options.Account, Operation: op.Name, Class: op.Class, Interval: op.Interval, Interactive: interactive,
		Fingerprint: maphash.Bytes(fingerprintSeed, request),
	}
	for range maxLateGrants {
		pass, err := c.options.Gate.Enter(ctx, call)
		if err != nil {
			var refusal interface{ NotBefore() (time.Time, string) }
			if ctx.Err() != nil && !errors.As(err, &refusal) {
				return nil, contextError(op, ctx.Err())
			}
			return nil, err
		}
		if sendBy := pass.SendBy(); sendBy.IsZero() || time.Now().Before(sendBy) {
			return pass, nil
		}
		pass.Done(context.WithoutCancel(ctx), Outcome{NotSent: true, Void: true})
	}
	return nil, &Error{Code: Unavailable, Operation: op.Name, Reason: "void"}
}

// exchange sends the request and reads the answer, within the operation's own deadline.
func (c *Client) exchange(parent context.Context, op *Operation, request []byte,
	readMember func(*reader, xml.StartElement) error,
) (resp response) {
	ctx, cancel := context.WithTimeout(parent, op.Timeout)
	defer cancel()
	defer func() {
		// An answer that was read to its end counts even if the deadline struck meanwhile.
		if resp.transportErr != nil || errors.Is(resp.decodeErr, errTruncated) {
			resp.ctxErr = sentinel(ctx.Err())
		}
	}()
	var trace requestTrace
	req, err := http.NewRequestWithContext(httptrace.WithClientTrace(ctx, trace.clientTrace()), http.MethodPost, c.endpoint,
		bytes.NewReader(request))
	if err != nil {
		return response{transportErr: err}
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("SOAPAction", `"`+nsKareo+"KareoServices/"+op.Name+`"`)
	httpResp, err := c.http.Do(req)
	if err != nil {
		return response{transportErr: err, sent: !trace.unsent() && !neverConnected(err)}
	}
	defer httpResp.Body.Close()
	resp.sent, resp.status = true, httpResp.StatusCode
	resp.mediaType, _, _ = mime.ParseMediaType(httpResp.Header.Get("Content-Type"))
	if readable := resp.status == http.StatusOK || resp.status >= 400; !readable || resp.mediaType != "" && !isXML(resp.mediaType) {
		return resp
	}
	r := newReader(httpResp.Body, c.options.MaxBytes)
	resp.headerless = op.headerless
	resp.meta, resp.decodeErr = r.envelope(op, func(el xml.StartElement) error { return readMember(r, el) })
	resp.bytes, resp.rows = r.input.total, r.rows
	return resp
}

// wire watches how far a request got. A transport that reports nothing (a test's, a proxy's) counts as having sent.
type requestTrace struct{ connRequested, headersWritten atomic.Bool }

func (t *requestTrace) clientTrace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { t.connRequested.Store(true) },
		WroteHeaders: func() { t.headersWritten.Store(true) },
	}
}

func (t *requestTrace) unsent() bool { return t.connRequested.Load() && !t.headersWritten.Load() }
