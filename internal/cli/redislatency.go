package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/workflow-bolt/rounds/internal/redisconn"
)

const (
	maxPings      = 1000
	shownCommands = 10
)

func newRedisLatency(e *env) *cobra.Command {
	i := &inspection{env: e}
	var pings int
	cmd := i.add(&cobra.Command{
		Use:   "latency",
		Short: "Measure how fast each Redis server answers, here and by its own account",
		Long: `Measure how fast each Redis server answers from here (PING), and what it says itself: the commands on which it spent
the most time (INFO commandstats) and the spikes that it noticed (LATENCY LATEST). When PING is slow and its own
figures are not, the network is the reason.`,
		Example: "  rounds redis latency --pings 200 --role queue",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if pings < 1 || pings > maxPings {
				return usage("--pings must be between 1 and %d", maxPings)
			}
			doc := latencyDoc{}
			err := i.each(cmd.Context(), func(ctx context.Context, s server) error { return doc.look(ctx, s, pings) })
			if err != nil {
				return err
			}
			return e.answer(doc, doc.write)
		},
	})
	cmd.Flags().IntVar(&pings, "pings", 50, "how many times each server is asked")
	return cmd
}

type latencyDoc struct {
	Servers []serverLatency `json:"servers"`
}

// serverLatency is how fast one server is. Times are microseconds, but those of events.
type serverLatency struct {
	place
	Pings    int          `json:"pings"`
	Least    int64        `json:"least_us"`
	Median   int64        `json:"median_us"`
	P99      int64        `json:"p99_us"`
	Most     int64        `json:"most_us"`
	Commands []commandDoc `json:"commands"` // on which the server spent most time, since its start
	Events   []eventDoc   `json:"events"`   // spikes that it noticed
	Advice   []string     `json:"advice"`
}

type commandDoc struct {
	Command string  `json:"command"`
	Calls   int64   `json:"calls"`
	Micros  int64   `json:"total_us"`
	Mean    float64 `json:"mean_us"`
}

type eventDoc struct {
	Event  string    `json:"event"`
	At     time.Time `json:"at"`
	Latest int64     `json:"latest_ms"`
	Most   int64     `json:"most_ms"`
}

func (d *latencyDoc) look(ctx context.Context, s server, pings int) error {
	l := serverLatency{place: s.place(), Pings: pings, Events: []eventDoc{}, Advice: []string{}}
	took := make([]time.Duration, pings)
	for i := -1; i < pings; i++ { // the first one connects
		begun := time.Now()
		if err := s.client.Ping(ctx).Err(); err != nil {
			return unavailable(err)
		}
		if i >= 0 {
			took[i] = time.Since(begun)
		}
	}
	slices.Sort(took)
	l.Least, l.Median = took[0].Microseconds(), took[len(took)/2].Microseconds()
	l.P99, l.Most = took[len(took)*99/100].Microseconds(), took[len(took)-1].Microseconds()
	info, err := redisconn.Info(ctx, s.client, "commandstats")
	if err != nil {
		return err
	}
	l.Commands = busiest(info)
	events, err := s.client.Latency(ctx).Result()
	said, err := refusal("LATENCY", err)
	if err != nil {
		return err
	}
	for _, ev := range events {
		l.Events = append(l.Events, eventDoc{
			Event: shown(ev.Name), At: ev.Time.UTC(), Latest: ev.Latest.Milliseconds(), Most: ev.Max.Milliseconds(),
		})
	}
	l.advise(said)
	d.Servers = append(d.Servers, l)
	return nil
}

// busiest reads INFO commandstats, which has lines like cmdstat_get:calls=1,usec=2,usec_per_call=2.00 and more.
func busiest(info map[string]string) []commandDoc {
	out := []commandDoc{}
	for name, stats := range info {
		name, ok := strings.CutPrefix(name, "cmdstat_")
		if !ok {
			continue
		}
		c := commandDoc{Command: shown(strings.ReplaceAll(name, "|", "."))}
		for part := range strings.SplitSeq(stats, ",") {
			key, value, _ := strings.Cut(part, "=")
			switch key {
			case "calls":
				c.Calls, _ = strconv.ParseInt(value, 10, 64) // 0 for what is no number
			case "usec":
				c.Micros, _ = strconv.ParseInt(value, 10, 64)
			}
		}
		if c.Calls > 0 {
			c.Mean = float64(c.Micros) / float64(c.Calls)
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b commandDoc) int {
		return cmp.Or(cmp.Compare(b.Micros, a.Micros), cmp.Compare(a.Command, b.Command))
	})
	return out[:min(len(out), shownCommands)]
}

// slowAnswer is what a worker's ten trips for each task can bear.
const slowAnswer = 5 * time.Millisecond

func (l *serverLatency) advise(said string) {
	if said != "" {
		l.Advice = append(l.Advice, said)
	}
	if time.Duration(l.Median)*time.Microsecond > slowAnswer {
		l.Advice = append(l.Advice, "answers are slow from here: run the processes in the server's region and zone")
	}
	if l.P99 > 20*max(1, l.Median) && time.Duration(l.P99)*time.Microsecond > slowAnswer {
		l.Advice = append(l.Advice, "some answers are much slower than most: see rounds redis slowlog, and the events above")
	}
	for _, e := range l.Events {
		if strings.HasPrefix(e.Event, "fork") || strings.HasPrefix(e.Event, "aof") || strings.HasPrefix(e.Event, "rdb") {
			l.Advice = append(l.Advice, "the disk slows it down ("+e.Event+"): use a faster one, or snapshot less often")
		}
	}
	if len(l.Advice) == 0 {
		l.Advice = append(l.Advice, "nothing stands out")
	}
}

func (d latencyDoc) write(w io.Writer) {
	micros := func(n int64) string { return (time.Duration(n) * time.Microsecond).String() }
	for _, s := range d.Servers {
		writePlace(w, s.place)
		_, _ = fmt.Fprintf(w, "  %d answers: least %s, median %s, p99 %s, most %s\n", s.Pings, micros(s.Least), micros(s.Median), micros(s.P99), micros(s.Most))
		table(w, []string{"  COMMAND", "CALLS", "IN ALL", "MEAN"}, s.Commands, func(c commandDoc) []string {
			return []string{"  " + c.Command, fmt.Sprint(c.Calls), micros(c.Micros), fmt.Sprintf("%.1fµs", c.Mean)}
		})
		for _, e := range s.Events {
			_, _ = fmt.Fprintf(w, "  event %s at %s: %d ms, at most %d ms\n", e.Event, e.At.Format(time.RFC3339), e.Latest, e.Most)
		}
		writeAdvice(w, s.Advice)
	}
}
