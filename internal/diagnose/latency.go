package diagnose

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

// maxCommands is how many commands a Latency lists.
const maxCommands = 10

// Latency describes how fast one server answers. Times are microseconds, except those of events.
type Latency struct {
	Place
	Pings    int            `json:"pings"`
	Min      int64          `json:"least_us"`
	Median   int64          `json:"median_us"`
	P99      int64          `json:"p99_us"`
	Max      int64          `json:"most_us"`
	Commands []CommandStats `json:"commands"` // those with the most total time since the server started
	Events   []LatencyEvent `json:"events"`   // spikes that the server recorded
	Advice   []string       `json:"advice"`
}

// CommandStats is the total time that a server spent on one command.
type CommandStats struct {
	Command string  `json:"command"`
	Calls   int64   `json:"calls"`
	Micros  int64   `json:"total_us"`
	Mean    float64 `json:"mean_us"`
}

// LatencyEvent is a kind of spike that a server recorded.
type LatencyEvent struct {
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
	Latest int64     `json:"latest_ms"`
	Max    int64     `json:"most_ms"`
}

// Latency measures the given number of PINGs and reads the server's own statistics.
func (s Server) Latency(ctx context.Context, pings int) (Latency, error) {
	l := Latency{Place: s.place, Pings: pings, Events: []LatencyEvent{}}
	took := make([]time.Duration, pings)
	for i := -1; i < pings; i++ { // the first PING connects and is not measured
		begun := time.Now()
		if err := s.client.Ping(ctx).Err(); err != nil {
			return Latency{}, unavailable("PING", err)
		}
		if i >= 0 {
			took[i] = time.Since(begun)
		}
	}
	slices.Sort(took)
	l.Min, l.Median = took[0].Microseconds(), took[len(took)/2].Microseconds()
	l.P99, l.Max = took[len(took)*99/100].Microseconds(), took[len(took)-1].Microseconds()
	info, err := redisconn.Info(ctx, s.client, "commandstats")
	if err != nil {
		return Latency{}, err
	}
	l.Commands = busiest(info)
	events, err := s.client.Latency(ctx).Result()
	refused, err := refusal("LATENCY", err)
	if err != nil {
		return Latency{}, err
	}
	for _, e := range events {
		l.Events = append(l.Events, LatencyEvent{
			Event: Redact(e.Name), At: e.Time.UTC(), Latest: e.Latest.Milliseconds(), Max: e.Max.Milliseconds(),
		})
	}
	l.Advice = l.advise(refused)
	return l, nil
}

// busiest parses INFO commandstats, whose lines look like
// cmdstat_get:calls=1,usec=2,usec_per_call=2.00.
func busiest(info map[string]string) []CommandStats {
	out := []CommandStats{}
	for name, stats := range info {
		name, ok := strings.CutPrefix(name, "cmdstat_")
		if !ok {
			continue
		}
		c := CommandStats{Command: Redact(strings.ReplaceAll(name, "|", "."))}
		for part := range strings.SplitSeq(stats, ",") {
			key, value, _ := strings.Cut(part, "=")
			switch key {
			case "calls":
				c.Calls, _ = strconv.ParseInt(value, 10, 64) // 0 if it is not a number
			case "usec":
				c.Micros, _ = strconv.ParseInt(value, 10, 64)
			}
		}
		if c.Calls > 0 {
			c.Mean = float64(c.Micros) / float64(c.Calls)
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b CommandStats) int {
		return cmp.Or(cmp.Compare(b.Micros, a.Micros), cmp.Compare(a.Command, b.Command))
	})
	return out[:min(len(out), maxCommands)]
}

// slowAnswer is the longest round trip that a worker can afford, with ten round trips for each
// task.
const slowAnswer = 5 * time.Millisecond

func (l *Latency) advise(refused string) []string {
	a := adviceOn(refused)
	if time.Duration(l.Median)*time.Microsecond > slowAnswer {
		a.add("answers are slow from this host: run the processes in the server's region and zone")
	}
	if l.P99 > 20*max(1, l.Median) && time.Duration(l.P99)*time.Microsecond > slowAnswer {
		a.add("some answers are much slower than most: see rounds redis slowlog and the events above")
	}
	for _, e := range l.Events {
		if strings.HasPrefix(e.Event, "fork") || strings.HasPrefix(e.Event, "aof") || strings.HasPrefix(e.Event, "rdb") {
			a.add("the disk slows the server down (%s): use a faster disk, or take snapshots less often", e.Event)
		}
	}
	return a.or("nothing unusual")
}
