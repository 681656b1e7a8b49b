package diagnose

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

const (
	scanPage    = 200
	sampleLimit = 10 * time.Second // of sampling, for each server
	maxLargest  = 5
)

// Memory describes the memory use of one server. Sizes are bytes.
type Memory struct {
	Place
	Used          int64      `json:"used_bytes"`
	Peak          int64      `json:"peak_bytes"`
	Max           int64      `json:"max_bytes"` // 0: no limit
	Dataset       int64      `json:"dataset_bytes"`
	Overhead      int64      `json:"overhead_bytes"`
	Fragmentation float64    `json:"fragmentation"`
	Keys          int64      `json:"keys"`
	Sampled       int        `json:"sampled"`
	Families      []Family   `json:"families"`
	Largest       []LargeKey `json:"largest"`
	Advice        []string   `json:"advice"`
}

// Family summarizes the keys that serve one purpose.
type Family struct {
	Family string `json:"family"`
	Keys   int64  `json:"keys"`  // estimated from the sample
	Bytes  int64  `json:"bytes"` // estimated from the sample
	Mean   int64  `json:"mean_bytes"`
	Max    int64  `json:"most_bytes"`
}

// LargeKey is one of the largest keys of the sample. Its name may identify its owner and is left
// out.
type LargeKey struct {
	Family string `json:"family"`
	Bytes  int64  `json:"bytes"`
}

// Memory measures a sample of the keys. It calls progress as it advances.
func (s Server) Memory(ctx context.Context, sample int, progress func(measured, total int)) (Memory, error) {
	info, err := redisconn.Info(ctx, s.client, "memory")
	if err != nil {
		return Memory{}, err
	}
	m := Memory{
		Place: s.place, Used: infoNumber(info, "used_memory"), Peak: infoNumber(info, "used_memory_peak"),
		Max: infoNumber(info, "maxmemory"), Dataset: infoNumber(info, "used_memory_dataset"),
		Overhead: infoNumber(info, "used_memory_overhead"), Families: []Family{}, Largest: []LargeKey{},
	}
	m.Fragmentation, _ = strconv.ParseFloat(info["mem_fragmentation_ratio"], 64) // 0 if the server does not report it
	if m.Keys, err = s.client.DBSize(ctx).Result(); err != nil {
		return Memory{}, unavailable("DBSIZE", err)
	}
	total := int(min(int64(sample), m.Keys))
	sizes, refused, err := measureKeys(ctx, s.client, sample, func(n int) { progress(n, total) })
	if err != nil {
		return Memory{}, err
	}
	m.group(sizes)
	m.Advice = m.advise(refused, s.role)
	return m, nil
}

// measureKeys returns the sizes of a sample of keys, by family. It stops at the sample's size, at
// the last key, or after sampleLimit. refused is set if the server does not allow a command.
func measureKeys(ctx context.Context, c *redis.Client, sample int, progress func(n int)) (sizes map[string][]int64, refused string, err error) {
	sizes = map[string][]int64{}
	until := time.Now().Add(sampleLimit)
	n := 0
	for cursor := uint64(0); ; {
		keys, next, err := c.Scan(ctx, cursor, "", scanPage).Result()
		if refused, err := refusal("SCAN", err); refused != "" || err != nil {
			return sizes, refused, err
		}
		measured, refused, err := measurePage(ctx, c, keys[:min(len(keys), sample-n)], sizes)
		if refused != "" || err != nil {
			return sizes, refused, err
		}
		n += measured
		progress(n)
		cursor = next
		if cursor == 0 || n >= sample || time.Now().After(until) {
			return sizes, "", nil
		}
	}
}

// measurePage adds the sizes of the keys that still exist and returns their number.
func measurePage(ctx context.Context, c *redis.Client, keys []string, sizes map[string][]int64) (n int, refused string, err error) {
	if len(keys) == 0 {
		return 0, "", nil
	}
	pipe := c.Pipeline()
	sizesOf := make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		sizesOf[i] = pipe.MemoryUsage(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, w := range sizesOf {
		refused, err := refusal("MEMORY USAGE", w.Err())
		if refused != "" || err != nil {
			return n, refused, err
		}
		if w.Err() == nil { // otherwise the key was deleted after the scan
			family := keyFamily(keys[i])
			sizes[family] = append(sizes[family], w.Val())
			n++
		}
	}
	return n, "", nil
}

// group extrapolates from the sample to all keys.
func (m *Memory) group(sizes map[string][]int64) {
	for _, s := range sizes {
		m.Sampled += len(s)
	}
	if m.Sampled == 0 {
		return
	}
	scale := max(1, float64(m.Keys)/float64(m.Sampled))
	for name, s := range sizes {
		f := Family{Family: name, Keys: int64(float64(len(s)) * scale), Max: slices.Max(s)}
		var sum int64
		for _, n := range s {
			sum += n
			m.Largest = append(m.Largest, LargeKey{Family: name, Bytes: n})
		}
		f.Mean, f.Bytes = sum/int64(len(s)), int64(float64(sum)*scale)
		m.Families = append(m.Families, f)
	}
	slices.SortFunc(m.Families, func(a, b Family) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Family, b.Family)) })
	slices.SortFunc(m.Largest, func(a, b LargeKey) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Family, b.Family)) })
	m.Largest = m.Largest[:min(len(m.Largest), maxLargest)]
}

// largeValue is larger than any value of Rounds except the sets of a busy queue.
const largeValue = 8 << 20

func (m *Memory) advise(refused string, role redisconn.Role) []string {
	a := adviceOn(refused)
	for _, f := range m.Families {
		if f.Family == "other" && f.Bytes > m.Dataset/10 {
			a.add("other programs use much of this server: give Rounds its own server, or at least its own database")
		}
	}
	if len(m.Largest) > 0 && m.Largest[0].Bytes > largeValue {
		a.add("one key of %s is very large and slows every command that uses it", m.Largest[0].Family)
	}
	if m.Max > 0 && float64(m.Used)/float64(m.Max) > memoryWarn && role == redisconn.RoleQueue {
		a.add("the server is nearly full: see rounds queue list, and rounds queue purge for old tasks")
	}
	return a.or("nothing unusual")
}
