package tebra

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"hash/maphash"
	"mime"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
)

const (
	// retryWithin is how long a call that was not sent is retried here.
	retryWithin = 2 * time.Second
	// maxLateGrants is how many consecutive grants may be used too late before an attempt fails.
	maxLateGrants = 3
)

// call is the only function that sends requests: it asks the Gate, sends the request over HTTP,
// reads the response within limits, classifies it and reports an Observation. Every method of every
// service uses it.
//
// body writes the members of the request after its header; nil writes none. readMember is called
// with each member of the result except ErrorResponse and SecurityResponse. It runs at most once
// per call and member, because an attempt that receives a response is never retried. What it
// collects is valid only if call returns nil. validate, unless nil, checks a response that was read
// completely and returns "" to accept it.
func (c *Client) call(ctx context.Context, op *Operation, body func(*writer),
	readMember func(r *reader, el xml.Name) error, validate func() (Code, string),
) error {
	request, err := encode(op, c.options.Credentials, body)
	if err != nil {
		request = nil
	}
	return c.send(ctx, op, request, responseHandler{readMember, validate})
}

// send sends a request; nil is one that could not be encoded.
func (c *Client) send(ctx context.Context, op *Operation, request []byte, handler responseHandler) (err error) {
	endTrace := func(Code) {}
	if c.options.Trace != nil {
		ctx, endTrace = c.options.Trace(ctx, op.Name)
	}
	start := time.Now()
	obs := Observation{
		Account: c.options.Account, Operation: op.Name, Class: op.Class, PHI: op.PHI, Interactive: isInteractive(ctx),
		Code: Unknown,
	}
	defer func() { // deferred because readMember may panic
		obs.Latency = time.Since(start)
		if c.options.Observe != nil {
			c.options.Observe(ctx, obs)
		}
		endTrace(obs.Code)
	}()
	if request == nil {
		obs.Code, obs.Reason = Invalid, "text"
		return invalidRequest(op, "text")
	}
	err = c.attempts(ctx, op, request, handler, &obs)
	obs.Code, obs.Reason = "", ""
	var callErr *Error
	switch {
	case errors.As(err, &callErr):
		obs.Code, obs.Reason, obs.Sent = callErr.Code, callErr.Reason, callErr.Sent
	case err != nil:
		obs.Code = Refused
	default:
		obs.Sent = true
		c.worked.remember(op, request)
	}
	return err
}

// invalidRequest returns the error for a request that this client refuses to send.
func invalidRequest(op *Operation, reason string) *Error {
	return &Error{Code: Invalid, Operation: op.Name, Reason: reason}
}

// responseHandler holds the two response callbacks of call.
type responseHandler struct {
	readMember func(r *reader, el xml.Name) error
	validate   func() (Code, string)
}

// attempts makes one attempt and retries for up to retryWithin while no request has been sent. A
// request that the vendor may have seen is not retried here: only the caller knows whether
// repeating it is safe and what else is waiting. Late grants are not retried either: the Gate has
// already been asked maxLateGrants times.
func (c *Client) attempts(ctx context.Context, op *Operation, request []byte, handler responseHandler, obs *Observation) error {
	var lastErr error
	retrying := false
	pause := backoff.NewExponentialBackOff(
		backoff.WithInitialInterval(50*time.Millisecond),
		backoff.WithMaxInterval(500*time.Millisecond),
		backoff.WithMaxElapsedTime(retryWithin))
	_ = backoff.Retry(func() error { // lastErr is more specific than the error of Retry
		obs.Attempts++
		lastErr = c.attempt(ctx, op, request, handler, obs)
		var callErr *Error
		retrying = errors.As(lastErr, &callErr) && !callErr.Sent && callErr.Code == Unavailable && !callErr.Late() && ctx.Err() == nil
		if retrying {
			return lastErr
		}
		return backoff.Permanent(lastErr)
	}, backoff.WithContext(pause, ctx))
	if retrying && ctx.Err() != nil {
		return contextError(op, ctx.Err()) // the caller gave up between two attempts
	}
	return lastErr
}

// attempt asks the Gate for a grant and makes one attempt with it. It asks again for a grant that
// is no longer valid when the request could be sent.
func (c *Client) attempt(ctx context.Context, op *Operation, request []byte, handler responseHandler, obs *Observation) error {
	for range maxLateGrants {
		if late, err := c.attemptOnce(ctx, op, request, handler, obs); !late {
			return err
		}
	}
	return &Error{Code: Unavailable, Operation: op.Name, Reason: lateReason}
}

// attemptOnce makes one attempt. It reports whether the grant was no longer valid; then nothing was
// sent.
func (c *Client) attemptOnce(ctx context.Context, op *Operation, request []byte, handler responseHandler, obs *Observation) (late bool, err error) {
	pass, err := c.enter(ctx, op, request, obs)
	if err != nil {
		return false, err
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
		return false, callErr
	}
	start := time.Now()
	obs.Sent = true // set before rows are read: code that consumes rows may panic
	resp := c.exchange(ctx, op, request, pass, handler.readMember)
	obs.Sent, obs.Bytes, obs.Rows = resp.sent, resp.bytes, resp.rows
	obs.Repaired, obs.Unread, obs.SetAside = resp.repaired, resp.unread, resp.setAside
	if resp.late && ctx.Err() == nil {
		outcome = Outcome{NotSent: true, Void: true}
		return true, nil
	}
	code, reason := resp.classify()
	if code == "" && handler.validate != nil {
		code, reason = handler.validate()
	}
	outcome = Outcome{Code: code, NotSent: !resp.sent, Void: resp.late, Foreign: resp.isForeign(code, reason)}
	if resp.sent {
		outcome.Latency = time.Since(start)
	}
	if code == "" {
		return false, nil
	}
	if code == Throttled {
		outcome.Interval = resp.interval()
	}
	outcome.RetryAfter = resp.retryAfter
	return false, &Error{
		Code: code, Operation: op.Name, Reason: reason, Sent: resp.sent, Interval: outcome.Interval, RetryAfter: outcome.RetryAfter,
		Status: resp.status, Fingerprint: fingerprint(request), cause: resp.ctxErr,
	}
}

func contextError(op *Operation, err error) *Error {
	resp := response{ctxErr: err}
	code, _ := resp.classify()
	return &Error{Code: code, Operation: op.Name, cause: sentinel(err)}
}

// sentinel reduces a context's error to context.DeadlineExceeded or context.Canceled, which quote
// nothing.
func sentinel(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.DeadlineExceeded):
		return context.DeadlineExceeded
	}
	return context.Canceled
}

// fingerprintSeed is random in each process, so a fingerprint is comparable only within the
// process.
var fingerprintSeed = maphash.MakeSeed()

func fingerprint(request []byte) uint64 { return maphash.Bytes(fingerprintSeed, request) }

// enter asks the Gate. A nil Gate grants everything.
func (c *Client) enter(ctx context.Context, op *Operation, request []byte, obs *Observation) (Pass, error) {
	if c.options.Gate == nil {
		return nil, nil //nolint:nilnil // without a Gate there is no Pass; attemptOnce handles nil
	}
	pass, err := c.options.Gate.Enter(ctx, Call{
		Account: c.options.Account, Operation: op.Name, Class: op.Class, Interval: op.Interval, Interactive: obs.Interactive,
		Retry: obs.Attempts > 1, Fingerprint: fingerprint(request), Login: c.options.Login,
	})
	var refusal interface{ NotBefore() (time.Time, string) }
	if err != nil && ctx.Err() != nil && !errors.As(err, &refusal) {
		return nil, contextError(op, ctx.Err())
	}
	return pass, err
}

// exchange sends the request, if pass still allows it, and reads the response within the
// operation's timeout.
func (c *Client) exchange(parent context.Context, op *Operation, request []byte, pass Pass,
	readMember func(*reader, xml.Name) error,
) (resp response) {
	ctx, cancel := context.WithTimeout(parent, op.Timeout)
	defer cancel()
	defer func() {
		// A response that was read completely counts even if the deadline has passed in the
		// meantime.
		if resp.transportErr != nil || errors.Is(resp.decodeErr, errTruncated) {
			resp.ctxErr = sentinel(ctx.Err())
		}
	}()
	send := sending{pass: pass, cancel: cancel}
	if !send.confirm(ctx) {
		return response{transportErr: errLate, late: true}
	}
	req, err := http.NewRequestWithContext(send.traced(ctx), http.MethodPost, c.endpoint, bytes.NewReader(request))
	if err != nil {
		return response{transportErr: err}
	}
	req.Header.Set("Content-Type", "text/xml; charset=utf-8")
	req.Header.Set("SOAPAction", `"`+nsKareo+"KareoServices/"+op.Name+`"`)
	httpResp, err := c.http.Do(req)
	if send.late.Load() {
		if err == nil {
			_ = httpResp.Body.Close()
		}
		return response{transportErr: errLate, late: true}
	}
	if err != nil {
		return response{transportErr: err, sent: !send.unsent() && !neverConnected(err)}
	}
	defer httpResp.Body.Close()
	resp.sent, resp.status = true, httpResp.StatusCode
	resp.mediaType, _, _ = mime.ParseMediaType(httpResp.Header.Get("Content-Type"))
	if resp.status == http.StatusTooManyRequests || resp.status == http.StatusServiceUnavailable {
		resp.retryAfter = retryAfter(httpResp.Header, time.Now())
	}
	if readable := resp.status == http.StatusOK || resp.status >= 400; !readable || resp.mediaType != "" && !isXML(resp.mediaType) {
		return resp
	}
	r := newReader(httpResp.Body, c.options.MaxBytes)
	resp.headerless = op.headerless
	resp.meta, resp.decodeErr = r.envelope(op, func(el xml.Name) error { return readMember(r, el) })
	resp.bytes, resp.rows, resp.found = r.total, r.rows, r.found
	resp.repaired, resp.unread, resp.setAside = r.text.count, r.unread, r.setAside
	return resp
}
