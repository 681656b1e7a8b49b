package tebra

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"
)

// metadata is what an envelope states about a call, apart from the records.
type metadata struct {
	faultCode    string // local part of the fault code; "" without a fault
	isError      bool
	message      string // the vendor's text; used by classify only
	security     security
	hasErrorFlag bool // the response contains IsError
	hasPayload   bool // the operation's payload member is present; without one, IsError
}

// security is the vendor's check of the credentials. Only an explicit false counts, because some
// error responses omit the security part.
type security struct{ unauthenticated, badKey, unauthorized bool }

func (s security) refused() bool { return s.unauthenticated || s.badKey || s.unauthorized }

// envelope reads the response to op and calls read with each member of the result. Envelope, body
// and root element must match op exactly; a response to another operation is rejected before any of
// it is used.
func (r *reader) envelope(op *Operation, read func(el xml.Name) error) (metadata, error) {
	var meta metadata
	if r.starts("\xff\xfe") || r.starts("\xfe\xff") {
		return meta, malformedError("encoding") // UTF-16
	}
	root, ok, err := r.next(blankText)
	switch {
	case isHTML(r.root):
		return meta, foreignError("html")
	case err != nil:
		return meta, err
	case !ok || root != (xml.Name{Space: nsSOAP, Local: "Envelope"}):
		return meta, malformedError("envelope")
	}
	if op.bare {
		r.ns = nsBare
	}
	bodies := 0
	err = r.children(func(el xml.Name) error {
		if el.Local != "Body" {
			return nil
		}
		if bodies++; bodies > 1 {
			return malformedError("body")
		}
		return r.body(op, &meta, read)
	}, nsSOAP)
	switch {
	case errors.Is(err, errRowLimit), errors.Is(err, errStopped):
		return meta, nil // the rest is more rows of the list
	case err != nil:
		return meta, err
	case bodies == 0:
		return meta, malformedError("body")
	}
	return meta, r.end()
}

// end accepts only white space and comments after the document.
func (r *reader) end() error {
	_, _, err := r.next(blankText)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err == nil:
		return malformedError("trailing")
	}
	return err
}

func (r *reader) body(op *Operation, meta *metadata, read func(xml.Name) error) error {
	el, ok, err := r.next(blankText)
	switch {
	case err != nil:
		return err
	case !ok:
		return malformedError("body")
	case el == xml.Name{Space: nsSOAP, Local: "Fault"}:
		if err := r.fault(meta); err != nil {
			return err
		}
	case el == xml.Name{Space: nsKareo, Local: op.Name + "Response"}:
		if err := r.members(func(el xml.Name) error {
			if el.Local != op.Name+"Result" {
				return malformedError("operation")
			}
			return r.result(op, meta, read)
		}, nsKareo); err != nil {
			return err
		}
	default:
		return malformedError("operation")
	}
	_, more, err := r.next(blankText)
	if err == nil && more {
		return malformedError("body")
	}
	return err
}

func (r *reader) result(op *Operation, meta *metadata, read func(xml.Name) error) error {
	return r.members(func(el xml.Name) error {
		switch el.Local {
		case "ErrorResponse":
			return r.errorResponse(op, meta)
		case "SecurityResponse":
			return r.securityResponse(&meta.security)
		}
		if meta.isError || meta.security.refused() {
			return nil // rows next to an error are at best placeholders
		}
		if el.Local == op.payload {
			meta.hasPayload = true
		}
		return read(el)
	}, nsKareo, r.ns)
}

func (r *reader) errorResponse(op *Operation, meta *metadata) error {
	return r.members(func(el xml.Name) (err error) {
		switch el.Local {
		case "ErrorMessage":
			meta.message, err = r.word()
		case "IsError":
			meta.isError, err = r.boolean()
			meta.hasErrorFlag = err == nil
			meta.hasPayload = op.payload == ""
		}
		return err
	}, nsKareo)
}

func (r *reader) securityResponse(s *security) error {
	refused := func(into *bool) error {
		ok, err := r.boolean()
		*into = !ok
		return err
	}
	return r.members(func(el xml.Name) error {
		switch el.Local {
		case "Authenticated":
			return refused(&s.unauthenticated)
		case "Authorized":
			return refused(&s.unauthorized)
		case "CustomerKeyValid":
			return refused(&s.badKey)
		case "PracticesAuthorized":
			var err error
			r.practices, err = r.practicesAuthorized()
			return err
		}
		return nil // SecurityResultSuccess: its meaning in responses contradicts the guide
	}, nsKareo)
}

// practicesAuthorized returns the numbers in the current element, whatever they are nested in. It
// returns nil if the element is empty, or if one of the numbers cannot be read: the vendor then
// states nothing. An empty list of numbers is not nil.
func (r *reader) practicesAuthorized() ([]string, error) {
	var numbers []string
	readable := true
	for level := len(r.open); len(r.open) >= level; {
		r.text.buf = r.text.buf[:0]
		_, start, err := r.next(keepText)
		if err != nil {
			return nil, err
		}
		if start && numbers == nil {
			numbers = []string{}
		}
		if text := strings.TrimSpace(string(r.text.buf)); text != "" && readable {
			if readable = isIdentifier(text, 32) && len(numbers) < maxItems; readable {
				numbers = append(numbers, text)
			}
		}
	}
	if !readable {
		return nil, nil
	}
	return numbers, nil
}

func (r *reader) boolean() (bool, error) {
	text, err := r.word()
	if err != nil {
		return false, err
	}
	yes, ok := parseBoolean([]byte(text))
	if !ok {
		return false, malformedError("boolean")
	}
	return yes, nil
}

func parseBoolean(text []byte) (yes, ok bool) {
	text = bytes.TrimSpace(text)
	switch {
	case bytes.EqualFold(text, []byte("true")), string(text) == "1":
		return true, true
	case bytes.EqualFold(text, []byte("false")), string(text) == "0":
		return false, true
	}
	return false, false
}

// fault reads the unqualified members of a SOAP 1.1 fault. A fault's text quotes the request, so
// only classify uses it.
func (r *reader) fault(meta *metadata) error {
	if err := r.members(func(el xml.Name) (err error) {
		switch el.Local {
		case "faultcode":
			code, err := r.word()
			_, local, found := strings.Cut(strings.TrimSpace(code), ":")
			if !found {
				local = strings.TrimSpace(code)
			}
			meta.faultCode = local
			return err
		case "faultstring":
			meta.message, err = r.word()
		}
		return err
	}, ""); err != nil {
		return err
	}
	if meta.faultCode == "" {
		return malformedError("fault")
	}
	return nil
}

// throttleInterval finds "… 1000 milliseconds …" in the text of a throttle response. It returns 0
// if there is no interval or an implausible one.
func throttleInterval(message string) time.Duration {
	words := strings.Fields(message)
	for i := 1; i < len(words); i++ {
		var unit time.Duration
		switch w := strings.ToLower(strings.Trim(words[i], ".,;")); {
		case strings.HasPrefix(w, "millisecond"), w == "ms":
			unit = time.Millisecond
		case strings.HasPrefix(w, "second"):
			unit = time.Second
		default:
			continue
		}
		n, err := strconv.ParseInt(words[i-1], 10, 32)
		if d := time.Duration(n) * unit; err == nil && d > 0 && d <= 10*time.Minute {
			return d
		}
	}
	return 0
}
