package diagnose

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Slowlog lists the slow commands that one server recorded.
type Slowlog struct {
	Place
	Entries []SlowCommand `json:"entries"`
	Advice  []string      `json:"advice"`
}

// SlowCommand is one slow command.
type SlowCommand struct {
	At        time.Time `json:"at"`
	Micros    int64     `json:"took_us"`
	Command   string    `json:"command"`
	Family    string    `json:"family,omitempty"` // of its first key
	Arguments int       `json:"arguments"`
	Bytes     int       `json:"bytes"` // of the arguments that the server kept
}

// Slowlog reads the latest entries of the server's SLOWLOG.
func (s Server) Slowlog(ctx context.Context, limit int) (Slowlog, error) {
	found, err := s.client.SlowLogGet(ctx, int64(limit)).Result()
	refused, err := refusal("SLOWLOG", err)
	if err != nil {
		return Slowlog{}, err
	}
	l := Slowlog{Place: s.place, Entries: make([]SlowCommand, 0, len(found))}
	for _, entry := range found {
		l.Entries = append(l.Entries, readSlow(entry))
	}
	l.Advice = adviseSlow(l.Entries, refused)
	return l, nil
}

// readSlow leaves out the arguments of an entry: they may contain anything.
func readSlow(entry redis.SlowLog) SlowCommand {
	s := SlowCommand{At: entry.Time.UTC(), Micros: entry.Duration.Microseconds(), Command: unknown}
	if len(entry.Args) == 0 {
		return s
	}
	s.Command = strings.ToLower(entry.Args[0])
	if len(s.Command) > 20 || strings.Trim(s.Command, "abcdefghijklmnopqrstuvwxyz0123456789._") != "" {
		s.Command = unknown
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
		s.Family = keyFamily(args[key])
	}
	return s
}

// scans are commands that read whole sets or databases.
var scans = []string{"keys", "flushall", "flushdb", "sort", "smembers", "hgetall"}

func adviseSlow(entries []SlowCommand, refused string) []string {
	a := adviceOn(refused)
	switch {
	case slices.ContainsFunc(entries, func(e SlowCommand) bool { return slices.Contains(scans, e.Command) }):
		a.add("some commands read whole sets or databases; Rounds does not on a busy path, so see rounds redis clients for other programs")
	case len(entries) > 0:
		a.add("a slow command blocks all others: look at its family in rounds redis memory")
	}
	return a.or("no slow command")
}
