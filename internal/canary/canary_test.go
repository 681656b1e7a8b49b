package canary_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/canary"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

func TestMain(m *testing.M) { redistest.Main(m) }

const name = "Zyxwine Canaryvole"

func needles(t testing.TB) canary.Needles {
	t.Helper()
	n, err := canary.New(name, "1987650321")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestNeedlesMatchEveryEncoding(t *testing.T) {
	t.Parallel()
	n := needles(t)
	var wide []byte
	for _, c := range []byte(name) {
		wide = append(wide, c, 0)
	}
	for form, text := range map[string]string{
		"clear": name, "upper": strings.ToUpper(name), "hex": hex.EncodeToString([]byte(name)),
		"HEX": strings.ToUpper(hex.EncodeToString([]byte(name))), "query": url.QueryEscape(name), "key": tenant.GlobalKey("x1", "slot", name),
		"path": url.PathEscape(name), "UTF-16": string(wide),
		"number": "id=1987650321;", "number, after a longer one": "19876503210 1987650321",
	} {
		if !n.In([]byte("before " + text + " after")) {
			t.Errorf("%s: not found", form)
		}
	}
	if n.In([]byte("Zyxwine and Canaryvole are elsewhere, 198765032 1")) {
		t.Error("matched text without the values")
	}
	if n.In([]byte("at 19876503214455 and 71987650321")) {
		t.Error("matched inside longer numbers")
	}
	if (canary.Needles{}).In([]byte(name)) {
		t.Error("the zero value matched")
	}
	if _, err := canary.New("short"); err == nil {
		t.Error("a value of five characters is accepted")
	}
}

func TestNeedlesMatchBase64AtEveryAlignment(t *testing.T) {
	t.Parallel()
	n := needles(t)
	rapid.Check(t, func(r *rapid.T) {
		before := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "before")
		after := rapid.SliceOfN(rapid.Byte(), 0, 40).Draw(r, "after")
		data := bytes.Join([][]byte{before, []byte(name), after}, nil)
		if !n.In([]byte(base64.StdEncoding.EncodeToString(data))) || !n.In([]byte(base64.RawURLEncoding.EncodeToString(data))) {
			r.Fatalf("not found in base64 after %d bytes", len(before))
		}
	})
}

func TestRedisFindsPlantedLeakInEveryType(t *testing.T) {
	t.Parallel()
	n := needles(t)
	plant := map[string]func(*redis.Client) error{
		"key":    func(c *redis.Client) error { return c.Set(t.Context(), "patient:"+name, "1", 0).Err() },
		"string": func(c *redis.Client) error { return c.Set(t.Context(), "k", "for "+name, 0).Err() },
		"list":   func(c *redis.Client) error { return c.RPush(t.Context(), "k", "a", name).Err() },
		"set":    func(c *redis.Client) error { return c.SAdd(t.Context(), "k", name).Err() },
		"zset":   func(c *redis.Client) error { return c.ZAdd(t.Context(), "k", redis.Z{Member: name}).Err() },
		"field":  func(c *redis.Client) error { return c.HSet(t.Context(), "k", name, "1").Err() },
		"hash":   func(c *redis.Client) error { return c.HSet(t.Context(), "k", "f", name).Err() },
		"stream": func(c *redis.Client) error {
			return c.XAdd(t.Context(), &redis.XAddArgs{Stream: "k", Values: []string{"f", name}}).Err()
		},
	}
	for where, do := range plant {
		c := redistest.New(t)
		if err := c.MSet(t.Context(), "innocent", "x", "another", "y").Err(); err != nil {
			t.Fatal(err)
		}
		if seen, hits, err := n.Redis(t.Context(), c); err != nil || seen != 2 || hits != 0 {
			t.Fatalf("%s: before: %d keys, %d hits, %v", where, seen, hits, err)
		}
		if err := do(c); err != nil {
			t.Fatal(err)
		}
		if seen, hits, err := n.Redis(t.Context(), c); err != nil || seen != 3 || hits != 1 {
			t.Errorf("%s: %d keys, %d hits, %v; want 3, 1", where, seen, hits, err)
		}
	}
}

func TestFilesFindsPlantedLeak(t *testing.T) {
	t.Parallel()
	n := needles(t)
	dir := t.TempDir()
	deep := filepath.Join(dir, "a", "b")
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "log"), "nothing")
	if seen, hits, err := n.Files(dir); err != nil || seen != 1 || hits != 0 {
		t.Fatalf("%d files, %d hits, %v", seen, hits, err)
	}
	write(filepath.Join(deep, "ledger.db-wal"), "page "+name)
	if seen, hits, err := n.Files(dir); err != nil || seen != 2 || hits != 1 {
		t.Fatalf("%d files, %d hits, %v; want 2, 1", seen, hits, err)
	}
	if _, _, err := n.Files(filepath.Join(dir, "absent")); err == nil {
		t.Error("a missing folder counts as searched")
	}
}
