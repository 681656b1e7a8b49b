package phi

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MaxDocument is the largest JSON document in bytes that Marshal writes and Unmarshal reads: 4 MiB,
// about twenty times a full day of a large practice.
const MaxDocument = 4 << 20

// Errors of Marshal and Unmarshal. They contain nothing of the document.
var (
	ErrTooLarge  = errors.New("phi: document too large")
	ErrMalformed = errors.New("phi: malformed document")
)

// revealer is a masked type: Text, or a masked identifier of another package.
type revealer interface{ Reveal() string }

var encodeOptions = json.JoinOptions(
	json.Deterministic(true),
	json.WithMarshalers(json.MarshalToFunc(func(e *jsontext.Encoder, r revealer) error {
		return e.WriteToken(jsontext.String(r.Reveal()))
	})),
)

// Marshal encodes v as JSON with every masked value revealed. Use it only for bytes that are about
// to be sealed or digested. Equal values always give equal bytes. It fails with ErrTooLarge, or
// with ErrMalformed for a value that JSON cannot represent.
func Marshal(v any) ([]byte, error) {
	data, err := json.Marshal(v, encodeOptions)
	if err != nil {
		return nil, ErrMalformed // the cause may quote the value
	}
	if len(data) > MaxDocument {
		return nil, ErrTooLarge
	}
	return data, nil
}

// Unmarshal decodes exactly one JSON document into v. It rejects with ErrMalformed what
// encoding/json accepts: unknown members, members that differ only in case, duplicate members,
// invalid UTF-8, a null document and anything after the document. After an error v is undefined.
func Unmarshal(data []byte, v any) error {
	if len(data) > MaxDocument {
		return ErrTooLarge
	}
	if bytes.Equal(bytes.TrimSpace(data), []byte("null")) {
		return ErrMalformed
	}
	if err := json.Unmarshal(data, v, json.RejectUnknownMembers(true)); err != nil {
		return ErrMalformed // the cause may quote the document
	}
	return nil
}
