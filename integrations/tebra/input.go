package tebra

import (
	"bytes"
	"errors"
	"io"
)

// windowSize is how much of a response is in memory. A tag must fit into it.
const windowSize = 32 << 10

// input is a window of a response: buf[pos:end] has been read and not been consumed.
type input struct {
	r        io.Reader
	limit    int64
	total    int64 // bytes read
	err      error // why the input ended: the reader's error, io.EOF included, or a malformedError
	buf      []byte
	pos, end int
}

// more reads further bytes into the window. It returns false if there are none. It moves the bytes
// that have not been consumed, so that indexes and slices of the window become invalid.
func (in *input) more() bool {
	if in.pos > 0 {
		in.end = copy(in.buf, in.buf[in.pos:in.end])
		in.pos = 0
	}
	for range maxEmptyReads {
		if in.err != nil || in.end == len(in.buf) {
			return false
		}
		n, err := in.r.Read(in.buf[in.end:])
		if in.total += int64(n); in.total > in.limit {
			in.err = malformedError("size")
			return false
		}
		in.end += n
		if in.err = err; n > 0 {
			return true
		}
	}
	in.err = io.ErrNoProgress
	return false
}

// maxEmptyReads is how often a reader may return neither bytes nor an error.
const maxEmptyReads = 100

// ensure reads until the window has n bytes. It returns false if the input ends before.
func (in *input) ensure(n int) bool {
	for in.end-in.pos < n {
		if !in.more() {
			return false
		}
	}
	return true
}

// starts reports whether the input continues with prefix.
func (in *input) starts(prefix string) bool {
	return in.ensure(len(prefix)) && string(in.buf[in.pos:in.pos+len(prefix)]) == prefix
}

// ended returns the error for an input that ended within the document.
func (in *input) ended() error {
	if malformed, ok := errors.AsType[malformedError](in.err); ok {
		return malformed
	}
	return errTruncated
}

// until consumes the input up to the end mark, and passes it on in pieces without the mark.
func (in *input) until(mark string, piece func([]byte) error) error {
	for length := 0; ; {
		rest := in.buf[in.pos:in.end]
		i := bytes.Index(rest, []byte(mark))
		n := i
		if i < 0 {
			n = max(0, len(rest)-len(mark)+1) // the rest may be the beginning of the mark
		}
		if length += n; length > maxToken {
			return malformedError("token")
		}
		if err := piece(rest[:n]); err != nil {
			return err
		}
		in.pos += n
		if i >= 0 {
			in.pos += len(mark)
			return nil
		}
		if !in.more() {
			return in.ended()
		}
	}
}
