package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

const (
	maxSample    = 100_000
	scanPage     = 200
	sampleLimit  = 10 * time.Second // of looking at keys, for each server
	largestShown = 5
)

func newRedisMemory(e *env) *cobra.Command {
	i := &inspection{env: e}
	var sample int
	cmd := i.add(&cobra.Command{
		Use:   "memory",
		Short: "Say what fills each Redis server",
		Long: `Say what fills each Redis server, by family of keys: what they are for, never whose they are. A sample of keys is
taken (SCAN) and weighed (MEMORY USAGE), in small steps that hold nobody up; figures by family are what the sample
makes of all keys. In a family, {*} stands for a tenant.`,
		Example: "  rounds redis memory --role cache --sample 20000",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if sample < 1 || sample > maxSample {
				return usage("--sample must be between 1 and %d", maxSample)
			}
			doc := memoryDoc{}
			err := i.each(cmd.Context(), func(ctx context.Context, s server) error { return doc.look(ctx, e, s, sample) })
			if err != nil {
				return err
			}
			return e.answer(doc, doc.write)
		},
	})
	cmd.Flags().IntVar(&sample, "sample", 2000, "how many keys of each server are weighed, at most")
	return cmd
}

type memoryDoc struct {
	Servers []serverMemory `json:"servers"`
}

// serverMemory is what fills one server. Sizes are bytes.
type serverMemory struct {
	place
	Used          int64      `json:"used_bytes"`
	Peak          int64      `json:"peak_bytes"`
	Max           int64      `json:"max_bytes"` // 0: no limit
	Dataset       int64      `json:"dataset_bytes"`
	Overhead      int64      `json:"overhead_bytes"`
	Fragmentation float64    `json:"fragmentation"`
	Keys          int64      `json:"keys"`
	Sampled       int        `json:"sampled"`
	Families      []family   `json:"families"`
	Largest       []largeKey `json:"largest"`
	Advice        []string   `json:"advice"`
}

// family is the keys that serve one purpose.
type family struct {
	Family string `json:"family"`
	Keys   int64  `json:"keys"`  // estimated from the sample
	Bytes  int64  `json:"bytes"` // estimated from the sample
	Mean   int64  `json:"mean_bytes"`
	Most   int64  `json:"most_bytes"`
}

// largeKey is one of the largest of the sample. Its name may tell whose it is, and stays out.
type largeKey struct {
	Family string `json:"family"`
	Bytes  int64  `json:"bytes"`
}

func (d *memoryDoc) look(ctx context.Context, e *env, s server, sample int) error {
	info, err := redisconn.Info(ctx, s.client, "memory")
	if err != nil {
		return err
	}
	m := serverMemory{
		place: s.place(), Used: infoNumber(info, "used_memory"), Peak: infoNumber(info, "used_memory_peak"),
		Max: infoNumber(info, "maxmemory"), Dataset: infoNumber(info, "used_memory_dataset"),
		Overhead: infoNumber(info, "used_memory_overhead"), Families: []family{}, Largest: []largeKey{}, Advice: []string{},
	}
	m.Fragmentation, _ = strconv.ParseFloat(info["mem_fragmentation_ratio"], 64) // 0 when it does not say
	if m.Keys, err = s.client.DBSize(ctx).Result(); err != nil {
		return unavailable(err)
	}
	p := e.progress("weighing keys of the "+s.role.String(), int(min(int64(sample), m.Keys)))
	sizes, said, err := weighKeys(ctx, s.client, sample, p)
	p.end()
	if err != nil {
		return err
	}
	m.group(sizes)
	m.advise(said, s.role)
	d.Servers = append(d.Servers, m)
	return nil
}

// weighKeys returns the sizes of a sample of keys, by family. It ends at the sample's size, at the last key, or when its
// time is up. said is set when the server does not allow it.
func weighKeys(ctx context.Context, c *goredis.Client, sample int, p *progress) (sizes map[string][]int64, said string, err error) {
	sizes = map[string][]int64{}
	until := time.Now().Add(sampleLimit)
	n := 0
	for cursor := uint64(0); ; {
		keys, next, err := c.Scan(ctx, cursor, "", scanPage).Result()
		if said, err := refusal("SCAN", err); said != "" || err != nil {
			return sizes, said, err
		}
		keys = keys[:min(len(keys), sample-n)]
		pipe := c.Pipeline()
		weights := make([]*goredis.IntCmd, len(keys))
		for i, key := range keys {
			weights[i] = pipe.MemoryUsage(ctx, key)
		}
		if len(keys) > 0 {
			_, _ = pipe.Exec(ctx) // each command has its own error
		}
		for i, w := range weights {
			said, err := refusal("MEMORY USAGE", w.Err())
			if said != "" || err != nil {
				return sizes, said, err
			}
			if w.Err() == nil { // gone meanwhile otherwise
				group := keyGroup(keys[i])
				sizes[group] = append(sizes[group], w.Val())
				n++
			}
		}
		p.at(n)
		cursor = next
		if cursor == 0 || n >= sample || time.Now().After(until) {
			return sizes, "", nil
		}
	}
}

// group makes of the sample what it says about all keys.
func (m *serverMemory) group(sizes map[string][]int64) {
	for _, s := range sizes {
		m.Sampled += len(s)
	}
	if m.Sampled == 0 {
		return
	}
	scale := max(1, float64(m.Keys)/float64(m.Sampled))
	for name, s := range sizes {
		f := family{Family: name, Keys: int64(float64(len(s)) * scale), Most: slices.Max(s)}
		var sum int64
		for _, n := range s {
			sum += n
			m.Largest = append(m.Largest, largeKey{Family: name, Bytes: n})
		}
		f.Mean, f.Bytes = sum/int64(len(s)), int64(float64(sum)*scale)
		m.Families = append(m.Families, f)
	}
	slices.SortFunc(m.Families, func(a, b family) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Family, b.Family)) })
	slices.SortFunc(m.Largest, func(a, b largeKey) int { return cmp.Or(cmp.Compare(b.Bytes, a.Bytes), cmp.Compare(a.Family, b.Family)) })
	m.Largest = m.Largest[:min(len(m.Largest), largestShown)]
}

// largeValue is more than anything of ours takes; a set of a busy queue aside.
const largeValue = 8 << 20

func (m *serverMemory) advise(said string, role redisconn.Role) {
	if said != "" {
		m.Advice = append(m.Advice, said)
	}
	for _, f := range m.Families {
		if f.Family == "other" && f.Bytes > m.Dataset/10 {
			m.Advice = append(m.Advice, "a good part belongs to others: give Rounds a server, or at least a database, of its own")
		}
	}
	if len(m.Largest) > 0 && m.Largest[0].Bytes > largeValue {
		m.Advice = append(m.Advice, "one key of "+m.Largest[0].Family+" is very large: it slows every command that touches it")
	}
	if m.Max > 0 && float64(m.Used)/float64(m.Max) > memoryWarn && role == redisconn.RoleQueue {
		m.Advice = append(m.Advice, "it is nearly full: see rounds queue list, and rounds queue purge for what is old")
	}
	if len(m.Advice) == 0 {
		m.Advice = append(m.Advice, "nothing stands out")
	}
}

func (d memoryDoc) write(w io.Writer) {
	for _, s := range d.Servers {
		writePlace(w, s.place)
		_, _ = fmt.Fprintf(w, "  %s used (at most %s so far), %s of data, %s beside it; %d keys, %d weighed\n",
			bytesText(s.Used), bytesText(s.Peak), bytesText(s.Dataset), bytesText(s.Overhead), s.Keys, s.Sampled)
		table(w, []string{"  FAMILY", "KEYS", "BYTES", "MEAN", "MOST"}, s.Families, func(f family) []string {
			return []string{"  " + f.Family, fmt.Sprint(f.Keys), bytesText(f.Bytes), bytesText(f.Mean), bytesText(f.Most)}
		})
		writeAdvice(w, s.Advice)
	}
}
