package cache

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/workflow-bolt/rounds/internal/redisconn"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// versions is one read of a tenant's meta hash, by which entries are classified.
type versions struct {
	epoch, previous string
	began           uint64
	current         bool   // the epoch began under the primary that replied
	now             uint64 // the server's time
	clock           uint64 // the tenant's
	byTag           map[Tag]uint64
}

// precede reports whether the grant was drawn after the read, so that what was loaded under it
// is newer.
func (v *versions) precede(g Grant) bool {
	return v.clock < g.Stamp && v.epoch == string(g.Epoch[:])
}

var metaNames = []string{"e", "c", "h", "f", "pe"}

// noHistory is the history of a server without a replication ID, such as an embedded one.
const noHistory = "-"

// historyOf returns the replication ID of the primary that returned the section of INFO, and
// nothing for a replica. The prelude of the scripts does the same.
func historyOf(info string) string {
	if !strings.Contains(info, "\nrole:master") {
		return ""
	}
	_, rest, ok := strings.Cut(info, "\nmaster_replid:")
	if id, _, _ := strings.Cut(rest, "\r\n"); ok && id != "" {
		return id
	}
	return noHistory
}

// versionsReply is the reply to a read of some tags' versions.
type versionsReply struct {
	tags    tagSet
	meta    *redis.SliceCmd
	clock   *redis.TimeCmd
	history *redis.StringCmd
	script  *redis.Cmd // instead of the other commands, from a cluster
}

// queueVersions adds a read of versions to a pipeline. The history comes last: a server that is
// a primary with that history then has been one since the history began, and so was one when it
// returned the versions.
func (c *Cache) queueVersions(ctx context.Context, p redis.Pipeliner, id tenant.ID, tags tagSet) versionsReply {
	fields := metaFields(tags)
	if c.cluster {
		return versionsReply{tags: tags, script: versionsScript.EvalSha(ctx, p, []string{metaKey(id)}, anys(fields)...)}
	}
	return versionsReply{
		tags:    tags,
		meta:    p.HMGet(ctx, metaKey(id), fields...),
		clock:   p.Time(ctx),
		history: p.Info(ctx, "replication"),
	}
}

// readVersions is queueVersions in a round trip of its own.
func (c *Cache) readVersions(ctx context.Context, id tenant.ID, tags tagSet) (reply versionsReply) {
	if c.cluster {
		script := versionsScript.Run(ctx, c.rdb, []string{metaKey(id)}, anys(metaFields(tags))...)
		return versionsReply{tags: tags, script: script}
	}
	_, _ = c.rdb.Pipelined(ctx, func(p redis.Pipeliner) error { // each command has its own error
		reply = c.queueVersions(ctx, p, id, tags)
		return nil
	})
	return reply
}

// isUnknown reports that a cluster's node did not have the script yet.
func (r versionsReply) isUnknown() bool { return r.script != nil && isNoScript(r.script.Err()) }

func (r versionsReply) versions() (*versions, error) {
	if r.script != nil {
		return r.ofScript()
	}
	info, err := r.history.Result()
	history := historyOf(info)
	if redisconn.IsReply(err) {
		history, err = noHistory, nil
	}
	if err := errors.Join(r.meta.Err(), r.clock.Err(), err); err != nil {
		return nil, failed("read cache", err)
	}
	return newVersions(r.meta.Val(), r.tags, history, uint64(r.clock.Val().UnixMicro())) // after 1970
}

func (r versionsReply) ofScript() (*versions, error) {
	out, err := r.script.Slice()
	if err != nil {
		return nil, failed("read cache", err)
	}
	if len(out) != 3 {
		return nil, errReply
	}
	meta, _ := out[0].([]any)
	at, _ := out[1].(string)
	history, _ := out[2].(string)
	now, err := strconv.ParseUint(at, 10, 64)
	if err != nil {
		return nil, errReply
	}
	return newVersions(meta, r.tags, history, now)
}

func anys(fields []string) []any {
	out := make([]any, len(fields))
	for i, f := range fields {
		out[i] = f
	}
	return out
}

// tagSet maps each tag to its position in the read.
type tagSet map[Tag]int

func (s tagSet) add(tags []Tag) {
	for _, t := range tags {
		if _, ok := s[t]; !ok {
			s[t] = len(s)
		}
	}
}

func metaFields(tags tagSet) []string {
	fields := make([]string, len(metaNames)+len(tags))
	copy(fields, metaNames)
	for t, i := range tags {
		fields[len(metaNames)+i] = string(t[:])
	}
	return fields
}

func newVersions(vals []any, tags tagSet, history string, now uint64) (*versions, error) {
	if len(vals) != len(metaNames)+len(tags) {
		return nil, errReply
	}
	text := func(i int) string { s, _ := vals[i].(string); return s }
	var bad bool
	number := func(i int) uint64 {
		if vals[i] == nil {
			return 0
		}
		n, err := strconv.ParseUint(text(i), 10, 64)
		bad = bad || err != nil
		return n
	}
	v := &versions{
		epoch: text(0), now: now, clock: number(1), current: vals[0] != nil && history != "" && text(2) == history,
		began: number(3), previous: text(4), byTag: make(map[Tag]uint64),
	}
	for t, i := range tags {
		if n := number(len(metaNames) + i); n > 0 {
			v.byTag[t] = n
		}
	}
	if bad {
		return nil, errReply
	}
	return v, nil
}

// classify returns the state that the read script would return for an entry. While no epoch has
// begun under the present server, it returns the state that the entry would have if one began now.
func (v *versions) classify(h *header) State {
	var newest uint64
	for _, t := range h.tags {
		newest = max(newest, v.byTag[t])
	}
	epoch := string(h.epoch[:])
	switch {
	case newest > h.stamp:
		return Stale
	case !v.current && epoch == v.epoch:
		return Suspect
	case !v.current:
		return Stale
	case epoch != v.epoch && epoch == v.previous && newest < v.began:
		return Suspect
	case epoch != v.epoch:
		return Stale
	case v.now >= h.soft:
		return Soft
	}
	return Fresh
}
