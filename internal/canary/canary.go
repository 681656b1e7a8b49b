// Package canary searches the data that a run leaves behind for a patient that must not appear in
// it.
//
// A synthetic patient with unmistakable names and numbers is planted at the vendor. After a run,
// every byte of every place that people can read is searched for these values: in clear, in other
// case, in hexadecimal, in base64 at each of its three alignments, percent-encoded and in UTF-16.
// An empty result proves something only if the search would have found a leak, so the tests plant
// one in each place.
package canary

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf16"

	"github.com/redis/go-redis/v9"
)

// minNeedle is the minimum length of a value: shorter ones match by accident.
const minNeedle = 6

// Needles are the encodings of a patient's values to search for. The zero value finds nothing.
type Needles struct {
	folded  [][]byte // searched without regard to case
	exact   [][]byte
	numbers [][]byte // match only where no digit precedes or follows, because timestamps contain many digits
}

// New prepares a search for values: names, numbers, addresses. It refuses values shorter than six
// bytes, because they match by accident.
func New(values ...string) (Needles, error) {
	var n Needles
	for i, v := range values {
		if len(v) < minNeedle {
			return Needles{}, fmt.Errorf("canary: value %d is too short to search for", i)
		}
		if strings.Trim(v, "0123456789") == "" {
			n.numbers = append(n.numbers, []byte(v))
		} else {
			query := lower([]byte(url.QueryEscape(v)))
			n.folded = append(n.folded, lower([]byte(v)), query, bytes.ReplaceAll(query, []byte("+"), []byte("%20")))
		}
		n.folded = append(n.folded, []byte(hex.EncodeToString([]byte(v))))
		n.exact = append(n.exact, wide(v))
		for shift := range 3 {
			n.exact = append(n.exact, based(v, shift, base64.RawStdEncoding), based(v, shift, base64.RawURLEncoding))
		}
	}
	return n, nil
}

// based returns the part of v in base64 that stays the same whatever surrounds it, when shift bytes
// precede v.
func based(v string, shift int, enc *base64.Encoding) []byte {
	text := enc.EncodeToString([]byte(strings.Repeat("x", shift) + v))
	first := (shift*8 + 5) / 6
	last := (shift + len(v)) * 8 / 6
	return []byte(text[first:last])
}

func wide(v string) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(v)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return out
}

func lower(b []byte) []byte { return bytes.ToLower(b) }

// In reports whether data contains any of the values.
func (n Needles) In(data []byte) bool {
	contains := func(hay []byte) func([]byte) bool {
		return func(needle []byte) bool { return bytes.Contains(hay, needle) }
	}
	return slices.ContainsFunc(n.exact, contains(data)) || slices.ContainsFunc(n.folded, contains(lower(data))) ||
		slices.ContainsFunc(n.numbers, func(number []byte) bool { return isolated(data, number) })
}

func isolated(data, number []byte) bool {
	digit := func(i int) bool { return i >= 0 && i < len(data) && data[i] >= '0' && data[i] <= '9' }
	for from := 0; ; {
		i := bytes.Index(data[from:], number)
		if i < 0 {
			return false
		}
		if i += from; !digit(i-1) && !digit(i+len(number)) {
			return true
		}
		from = i + 1
	}
}

// Redis searches every key of the database and its value. It returns how many keys it searched and
// how many of them match. A key that is deleted during the search is not an error; a value of an
// unknown type is.
func (n Needles) Redis(ctx context.Context, rdb redis.UniversalClient) (seen, hits int, err error) {
	var cursor uint64
	for {
		var keys []string
		if keys, cursor, err = rdb.Scan(ctx, cursor, "*", 500).Result(); err != nil {
			return seen, hits, fmt.Errorf("canary: scan: %w", err)
		}
		for _, key := range keys {
			parts, err := dump(ctx, rdb, key)
			if err != nil && !errors.Is(err, redis.Nil) {
				return seen, hits, err
			}
			seen++
			if slices.ContainsFunc(append(parts, key), func(s string) bool { return n.In([]byte(s)) }) {
				hits++
			}
		}
		if cursor == 0 {
			return seen, hits, nil
		}
	}
}

func dump(ctx context.Context, rdb redis.UniversalClient, key string) ([]string, error) {
	kind, err := rdb.Type(ctx, key).Result()
	if err != nil {
		return nil, err
	}
	switch kind {
	case "none":
		return nil, nil
	case "string":
		v, err := rdb.Get(ctx, key).Result()
		return []string{v}, err
	case "list":
		return rdb.LRange(ctx, key, 0, -1).Result()
	case "set":
		return rdb.SMembers(ctx, key).Result()
	case "zset":
		return rdb.ZRange(ctx, key, 0, -1).Result()
	case "hash":
		var out []string
		fields, err := rdb.HGetAll(ctx, key).Result()
		for f, v := range fields {
			out = append(out, f, v)
		}
		return out, err
	case "stream":
		var out []string
		entries, err := rdb.XRange(ctx, key, "-", "+").Result()
		for _, e := range entries {
			for f, v := range e.Values {
				out = append(out, f, fmt.Sprint(v))
			}
		}
		return out, err
	}
	return nil, fmt.Errorf("canary: a value of type %s cannot be searched", kind)
}

// Files searches the bytes of every file below dir: database pages and journals as well as logs. It
// returns how many files it searched and how many of them match.
func (n Needles) Files(dir string) (seen, hits int, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a journal that a checkpoint removed
		}
		if err != nil {
			return err
		}
		seen++
		if n.In(data) {
			hits++
		}
		return nil
	})
	if err != nil {
		return seen, hits, fmt.Errorf("canary: read files: %w", err)
	}
	return seen, hits, nil
}
