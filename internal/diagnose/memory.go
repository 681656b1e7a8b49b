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
	sampleLimit = 10 * time.Second // of looking at keys, for each server
	maxLargest  = 5
)

// Memory is what fills one server. Sizes are bytes.
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

// Family is the keys that serve one purpose.
type Family struct {
	Family string `json:"family"`
	Keys   int64  `json:"keys"`  // estimated from the sample
	Bytes  int64  `json:"bytes"` // estimated from the sample
	Mean   int64  `json:"mean_bytes"`
	Max    int64  `json:"most_bytes"`
}

// LargeKey is one of the largest of the sample. Its name may tell whose it is, and stays out.
type LargeKey struct {
	Family string `json:"family"`
	Bytes  int64  `json:"bytes"`
}

// Memory weighs a sample of the keys. progress is called as it goes on.
func (s Server) Memory(ctx context.Context, sample int, progress func(weighed, of int)) (Memory, error) {
	info, err := redisconn.Info(ctx, s.client, "memory")
	if err != nil {
		return Memory{}, err
	}
	m := Memory{
		Place: s.place, Used: infoNumber(info, "used_memory"), Peak: infoNumber(info, "used_memory_peak"),
		Max: infoNumber(info, "maxmemory"), Dataset: infoNumber(info, "used_memory_dataset"),
		Overhead: infoNumber(info, "used_memory_overhead"), Families: []Family{}, Largest: []LargeKey{},
	}
	m.Fragmentation, _ = strconv.ParseFloat(info["mem_fragmentation_ratio"], 64) // 0 when it does not say
	if m.Keys, err = s.client.DBSize(ctx).Result(); err != nil {
		return Memory{}, unavailable("DBSIZE", err)
	}
	total := int(min(int64(sample), m.Keys))
	sizes, said, err := weighKeys(ctx, s.client, sample, func(n int) { progress(n, total) })
	if err != nil {
		return Memory{}, err
	}
	m.group(sizes)
	m.Advice = m.advise(said, s.role)
	return m, nil
}

// weighKeys returns the sizes of a sample of keys, by family. It ends at the sample's size, at the last key, or when its
// time is up. said is set when the server does not allow it.
func weighKeys(ctx context.Context, c *redis.Client, sample int, progress func(n int)) (sizes map[string][]int64, said string, err error) {
	sizes = map[string][]int64{}
	until := time.Now().Add(sampleLimit)
	n := 0
	for cursor := uint64(0); ; {
		keys, next, err := c.Scan(ctx, cursor, "", scanPage).Result()
		if said, err := refusal("SCAN", err); said != "" || err != nil {
			return sizes, said, err
		}
		weighed, said, err := weighPage(ctx, c, keys[:min(len(keys), sample-n)], sizes)
		if said != "" || err != nil {
			return sizes, said, err
		}
		n += weighed
		progress(n)
		cursor = next
		if cursor == 0 || n >= sample || time.Now().After(until) {
			return sizes, "", nil
		}
	}
}

// weighPage adds the sizes of the keys, and returns how many there still were.
func weighPage(ctx context.Context, c *redis.Client, keys []string, sizes map[string][]int64) (n int, said string, err error) {
	if len(keys) == 0 {
		return 0, "", nil
	}
	pipe := c.Pipeline()
	weights := make([]*redis.IntCmd, len(keys))
	for i, key := range keys {
		weights[i] = pipe.MemoryUsage(ctx, key)
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for i, w := range weights {
		said, err := refusal("MEMORY USAGE", w.Err())
		if said != "" || err != nil {
			return n, said, err
		}
		if w.Err() == nil { // gone meanwhile otherwise
			family := keyFamily(keys[i])
			sizes[family] = append(sizes[family], w.Val())
			n++
		}
	}
	return n, "", nil
}

// group makes of the sample what it says about all keys.
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

// largeValue is more than anything of ours takes; a set of a busy queue aside.
const largeValue = 8 << 20

func (m *Memory) advise(said string, role redisconn.Role) []string {
	a := refused(said)
	for _, f := range m.Families {
		if f.Family == "other" && f.Bytes > m.Dataset/10 {
			a.add("a good part belongs to others: give Rounds a server, or at least a database, of its own")
		}
	}
	if len(m.Largest) > 0 && m.Largest[0].Bytes > largeValue {
		a.add("one key of %s is very large: it slows every command that touches it", m.Largest[0].Family)
	}
	if m.Max > 0 && float64(m.Used)/float64(m.Max) > memoryWarn && role == redisconn.RoleQueue {
		a.add("it is nearly full: see rounds queue list, and rounds queue purge for what is old")
	}
	return a.or("nothing stands out")
}
