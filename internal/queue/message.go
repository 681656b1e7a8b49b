package queue

import (
	"encoding/binary"
	"math"
	"time"
	"unicode/utf8"

	"github.com/workflow-bolt/rounds/internal/codes"
)

// Numbers of the fields in asynq's encoded messages, which are protocol buffers. A field that
// appears twice has the value of its last occurrence, so fields may be appended.
const (
	fieldType         = 1
	fieldPayload      = 2
	fieldID           = 3
	fieldQueue        = 4
	fieldRetried      = 6
	fieldError        = 7
	fieldUnique       = 10
	fieldLastFailedAt = 11
	fieldGroup        = 14
	fieldHeaders      = 15
)

// Numbers of the fields in what asynq's servers publish about themselves, and of the entries of its
// map of lanes.
const (
	fieldConcurrency   = 4
	fieldLanes         = 5
	fieldActiveWorkers = 9
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

// readMessage returns what may be shown of the encoded task with an ID.
func readMessage(message []byte, id ID) Task {
	t := Task{ID: id.String(), raw: id.String()}
	for len(message) > 0 {
		field, value, rest, ok := nextField(message)
		if !ok {
			return t
		}
		number := numberOf(message)
		message = rest
		switch field {
		case fieldType:
			t.Kind = word(string(value))
		case fieldPayload:
			t.Bytes = len(value)
		case fieldRetried:
			t.Attempts = int(min(number, math.MaxInt32))
		case fieldError:
			t.Code = CodeOf(string(value))
		case fieldLastFailedAt:
			if number > 0 {
				t.FailedAt = time.Unix(int64(min(number, math.MaxInt32)), 0).UTC()
			}
		case fieldHeaders:
			switch name, text := readHeader(value); name {
			case HeaderTenant:
				t.Tenant = alias(text)
			case HeaderEnqueuedAt:
				if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
					t.EnqueuedAt = at.UTC()
				}
			}
		}
	}
	return t
}

// serverInfo is what an asynq server publishes about itself.
type serverInfo struct {
	lanes       map[string]bool
	slots, busy int
}

func readServer(info []byte) serverInfo {
	s := serverInfo{lanes: map[string]bool{}}
	for len(info) > 0 {
		field, value, rest, ok := nextField(info)
		if !ok {
			return s
		}
		number := int(min(numberOf(info), math.MaxInt32))
		info = rest
		switch field {
		case fieldConcurrency:
			s.slots = number
		case fieldActiveWorkers:
			s.busy = number
		case fieldLanes:
			name, _ := readHeader(value) // the entry's other field is a number
			s.lanes[name] = true
		}
	}
	return s
}

// numberOf returns the number that the first field of a message has; 0 if it has none.
func numberOf(b []byte) uint64 {
	tag, n := binary.Uvarint(b)
	if n <= 0 || tag&7 != wireVarint {
		return 0
	}
	v, n := binary.Uvarint(b[n:])
	if n <= 0 {
		return 0
	}
	return v
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
