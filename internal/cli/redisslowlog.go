package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/spf13/cobra"
)

const maxSlowlog = 128 // what a server keeps by default

func newRedisSlowlog(e *env) *cobra.Command {
	i := &inspection{env: e}
	var limit int
	cmd := i.add(&cobra.Command{
		Use:   "slowlog",
		Short: "List the commands that each Redis server found slow",
		Long: `List the commands that each Redis server found slow (SLOWLOG GET): when, for how long, which command and on which
family of keys. Arguments and names of keys are not shown; their number and size are.`,
		Example: "  rounds redis slowlog --limit 50 --json",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if limit < 1 || limit > maxSlowlog {
				return usage("--limit must be between 1 and %d", maxSlowlog)
			}
			doc := slowlogDoc{}
			err := i.each(cmd.Context(), func(ctx context.Context, s server) error { return doc.look(ctx, s, limit) })
			if err != nil {
				return err
			}
			return e.answer(doc, doc.write)
		},
	})
	cmd.Flags().IntVar(&limit, "limit", 20, "how many of each server, the latest first")
	return cmd
}

type slowlogDoc struct {
	Servers []serverSlowlog `json:"servers"`
}

type serverSlowlog struct {
	place
	Entries []slowDoc `json:"entries"`
	Advice  []string  `json:"advice"`
}

// slowDoc is one slow command.
type slowDoc struct {
	At        time.Time `json:"at"`
	Micros    int64     `json:"took_us"`
	Command   string    `json:"command"`
	Family    string    `json:"family,omitempty"` // of its first key
	Arguments int       `json:"arguments"`
	Bytes     int       `json:"bytes"` // of its arguments, as far as the server kept them
}

func (d *slowlogDoc) look(ctx context.Context, s server, limit int) error {
	found, err := s.client.SlowLogGet(ctx, int64(limit)).Result()
	said, err := refusal("SLOWLOG", err)
	if err != nil {
		return err
	}
	l := serverSlowlog{place: s.place(), Entries: []slowDoc{}, Advice: []string{}}
	for _, entry := range found {
		l.Entries = append(l.Entries, readSlow(entry))
	}
	l.advise(said)
	d.Servers = append(d.Servers, l)
	return nil
}

// readSlow takes from an entry what may be shown: arguments may hold anything.
func readSlow(entry goredis.SlowLog) slowDoc {
	s := slowDoc{At: entry.Time.UTC(), Micros: entry.Duration.Microseconds(), Command: "unknown"}
	if len(entry.Args) == 0 {
		return s
	}
	s.Command = strings.ToLower(entry.Args[0])
	if len(s.Command) > 20 || strings.Trim(s.Command, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" {
		s.Command = "unknown"
	}
	args := entry.Args[1:]
	s.Arguments = len(args)
	for _, a := range args {
		s.Bytes += len(a)
	}
	key := 0
	switch s.Command {
	case "eval", "evalsha": // script, number of keys, first key
		key = 2
	case "config", "client", "info", "scan", "slowlog", "latency", "script", "acl", "auth", "hello":
		key = len(args) // has no key
	case "memory", "object", "xinfo":
		key = 1
	}
	if key < len(args) {
		s.Family = keyGroup(args[key])
	}
	return s
}

func (l *serverSlowlog) advise(said string) {
	if said != "" {
		l.Advice = append(l.Advice, said)
	}
	scans := 0
	for _, e := range l.Entries {
		switch e.Command {
		case "keys", "flushall", "flushdb", "sort", "smembers", "hgetall":
			scans++
		}
	}
	switch {
	case scans > 0:
		l.Advice = append(l.Advice, "some commands walk over whole sets or databases: Rounds' own do not on a busy path; see rounds redis clients for who does")
	case len(l.Entries) > 0:
		l.Advice = append(l.Advice, "one slow command holds up all others: look at its family in rounds redis memory")
	case said == "":
		l.Advice = append(l.Advice, "nothing was slow")
	}
}

func (d slowlogDoc) write(w io.Writer) {
	for _, s := range d.Servers {
		writePlace(w, s.place)
		table(w, []string{"  AT", "TOOK", "COMMAND", "FAMILY", "ARGUMENTS", "BYTES"}, s.Entries, func(e slowDoc) []string {
			return []string{
				"  " + e.At.Format(time.RFC3339), (time.Duration(e.Micros) * time.Microsecond).String(), e.Command, e.Family,
				fmt.Sprint(e.Arguments), bytesText(int64(e.Bytes)),
			}
		})
		writeAdvice(w, s.Advice)
	}
}
