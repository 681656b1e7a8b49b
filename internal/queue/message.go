package queue

import (
	"encoding/binary"
	"time"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Numbers of the fields in asynq's encoded messages, which are protocol buffers. A field that
// appears twice has the value of its last occurrence, so fields may be appended.
const (
	fieldType         = 1
	fieldID           = 3
	fieldQueue        = 4
	fieldRetried      = 6
	fieldError        = 7
	fieldUnique       = 10
	fieldLastFailedAt = 11
	fieldGroup        = 14
	fieldHeaders      = 15
)

// Wire types of protocol buffers.
const (
	wireVarint = 0
	wireFixed8 = 1
	wireBytes  = 2
	wireFixed4 = 5
)

func appendInt(b []byte, field int, v uint64) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3|wireVarint)
	return binary.AppendUvarint(b, v)
}

func appendText(b []byte, field int, s string) []byte {
	b = binary.AppendUvarint(b, uint64(field)<<3|wireBytes)
	b = binary.AppendUvarint(b, uint64(len(s)))
	return append(b, s...)
}

// reasonFields are the reason and the time of the last failure.
func reasonFields(code codes.Code, at time.Time) []byte {
	b := appendText(nil, fieldError, string(code))
	return appendInt(b, fieldLastFailedAt, uint64(max(0, at.Unix())))
}

// readable reports whether asynq can decode a message and the message is that of the task. asynq
// takes the task's ID and lane from it, so another one could never be acknowledged.
func readable(message []byte, id, lane string) bool {
	var gotID, gotLane string
	for len(message) > 0 {
		field, value, rest, ok := nextField(message)
		if !ok {
			return false
		}
		message = rest
		switch field {
		case fieldID:
			gotID = string(value)
		case fieldQueue:
			gotLane = string(value)
		case fieldHeaders:
			if !readableHeader(value) {
				return false
			}
		}
		text := field == fieldType || field == fieldID || field == fieldQueue || field == fieldError || field == fieldUnique || field == fieldGroup
		if text && !utf8.Valid(value) {
			return false
		}
	}
	return gotID == id && gotLane == lane
}

// readableHeader checks an entry of the map of headers.
func readableHeader(entry []byte) bool {
	for len(entry) > 0 {
		_, value, rest, ok := nextField(entry)
		if !ok || !utf8.Valid(value) {
			return false
		}
		entry = rest
	}
	return true
}

// nextField splits off the first field of a message. The value is empty unless the field has bytes.
func nextField(b []byte) (field uint64, value, rest []byte, ok bool) {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return 0, nil, nil, false
	}
	b = b[n:]
	size := uint64(0)
	switch tag & 7 {
	case wireVarint:
		_, n = binary.Uvarint(b)
	case wireFixed8:
		n, size = 0, 8
	case wireFixed4:
		n, size = 0, 4
	case wireBytes:
		size, n = binary.Uvarint(b)
		if n == 0 {
			n = -1
		}
	default:
		return 0, nil, nil, false
	}
	if n < 0 || tag&7 == wireVarint && n == 0 || size > uint64(len(b)-n) {
		return 0, nil, nil, false
	}
	end := n + int(size)
	if tag&7 == wireBytes {
		value = b[n:end]
	}
	return tag >> 3, value, b[end:], true
}
