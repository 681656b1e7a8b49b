package queue

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// engineLog writes asynq's log lines. asynq puts IDs, types, errors and panics of tasks into them,
// and those of another program's task may be any text. A line keeps the words that asynq, Redis and
// the network write themselves, and the IDs of this package.
type engineLog struct{ log *slog.Logger }

func (l engineLog) write(level slog.Level, args []any) {
	l.log.Log(context.Background(), level, "queue engine", "error", engineText(fmt.Sprint(args...)))
}

func (l engineLog) Debug(args ...any) { l.write(slog.LevelDebug, args) }
func (l engineLog) Info(args ...any)  { l.write(slog.LevelInfo, args) }

// Warn writes a warning. asynq's line about a task that another supersedes is not one.
func (l engineLog) Warn(args ...any) {
	level := slog.LevelWarn
	if len(args) > 0 && strings.HasPrefix(fmt.Sprint(args[0]), "revoke task") {
		level = slog.LevelDebug
	}
	l.write(level, args)
}

func (l engineLog) Error(args ...any) { l.write(slog.LevelError, args) }
func (l engineLog) Fatal(args ...any) { l.write(slog.LevelError, args) }

// omitted stands for the words of a line that are not written.
const omitted = "…"

// maxEngineText is how much of a line is read, in bytes.
const maxEngineText = 4 << 10

// engineText returns the words of a line's beginning that may be written.
func engineText(line string) string {
	line, rest, _ := strings.Cut(line[:min(len(line), maxEngineText)], "\n")
	var kept []string
	for word := range strings.FieldsSeq(line) {
		if !mayLog(word) {
			word = omitted
		}
		if word != omitted || len(kept) == 0 || kept[len(kept)-1] != omitted {
			kept = append(kept, word)
		}
	}
	if rest != "" && (len(kept) == 0 || kept[len(kept)-1] != omitted) {
		kept = append(kept, omitted)
	}
	return strings.Join(kept, " ")
}

// mayLog reports whether every part of a word is in the vocabulary, or it is one of our IDs.
func mayLog(word string) bool {
	if _, err := ParseID(strings.TrimPrefix(strings.Trim(word, `",;:[]`), "id=")); err == nil {
		return true
	}
	for part := range strings.FieldsFuncSeq(word, func(c rune) bool { return strings.ContainsRune(`"'.,;:()[]{}=%`, c) }) {
		if !engineWords[part] {
			return false
		}
	}
	return true
}

// engineWords are the words of asynq's lines, of Redis' refusals and of network errors.
var engineWords = func() map[string]bool {
	words := map[string]bool{}
	for w := range strings.FieldsSeq(`
		Aggregator Checks Could Data Dequeue Exiting Failed Forwarder Healthchecker Heartbeater Janitor Lease Max
		Processor Pushed Quitting Recoverer Retry See Send Skipping Starting Stopping Subscriber Syncer Waiting Will
		a active aggregated aggregation all and any archive are asynq back batch below both cancelation canceled
		cannot channel check checks clear completed could data deadline delete details does done down empty enqueue
		err error exceeded exhausted exist exit expired extend failed failure find finish for forward from graceful group greater
		has heartbeat id in internal invalid is janitor lease list message move new not number of on panic position process
		processing push queue queues reached reclaim recommended recoverer recovering remove requeue reset retry retrying revoke running scheduled server set
		sets shutdown shutting signal size stack stale start state stop subscribe syncing task tasks terminate than the
		there this time timeout to trace try type unknown workers worker write

		UNKNOWN NOT_FOUND FAILED_PRECONDITION INTERNAL_ERROR CANCELED ALREADY_EXISTS redis eval command decode message nil
		ERR OOM READONLY LOADING MASTERDOWN CLUSTERDOWN TRYAGAIN MOVED ASK NOREPLICAS MISCONF NOSCRIPT NOAUTH NOPERM WRONGPASS WRONGTYPE BUSY EXECABORT
		SUBSCRIBE PUBLISH EVAL EVALSHA DEL SET ZADD ZRANGEBYSCORE HGET SADD SMEMBERS SREM
		against You can't replica used memory maxmemory allowed when Operation key holding wrong kind value

		EOF broken by client closed connect connection context dial host i/o network no pipe pool read refused
		route tcp unexpected unreachable use
	`) {
		words[w] = true
	}
	return words
}()
