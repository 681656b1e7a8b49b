package budget

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

// timed returns a script whose clock is KEYS[2] and KEYS[3], seconds and microseconds, and whose
// server's identity is KEYS[4].
func timed(t testing.TB, source string) *redis.Script {
	t.Helper()
	source = marginSource + budgetSource + source
	for old, now := range map[string]string{
		`redis.call('TIME')`:            `{KEYS[2], KEYS[3]}`,
		`redis.pcall('INFO', 'server')`: `'run_id:' .. KEYS[4]`,
	} {
		if strings.Count(source, old) != 1 {
			t.Fatalf("%s occurs %d times", old, strings.Count(source, old))
		}
		source = strings.Replace(source, old, now, 1)
	}
	return redis.NewScript(source)
}

// paceRun is one run of the scripts beside the model.
type paceRun struct {
	*rapid.T
	p       *Pace
	op      Operation
	m       paceModel
	script  map[string]*redis.Script
	waiting []Slot // slots whose calls are not sent yet
	granted Slot   // the last call that may be sent
	ahead   int64  // by how much the server's clock is ahead of the true one
	last    int64  // when the last call was sent, in true time
}

// compare runs a script and checks that it replies what the model does.
func (r *paceRun) compare(name string, want []int64, args ...any) {
	r.Helper()
	common := []any{
		r.op.Interval.Microseconds(), r.p.o.MinMargin.Microseconds(), firstMille, leastMille,
		marginLife.Microseconds(), keyLife.Milliseconds(), modelLead,
	}
	seconds, rest := strconv.FormatInt(r.m.now/1e6, 10), strconv.FormatInt(r.m.now%1e6, 10)
	reply, err := r.script[name].Run(r.Context(), r.p.o.Redis, []string{r.op.key(), seconds, rest, r.m.server},
		append(common, args...)...).Result()
	if err != nil {
		r.Fatalf("%s: %v", name, err)
	}
	if got := integers(reply); !slices.Equal(got, want) {
		r.Fatalf("%s%v at %d replies\n%v, the model\n%v", name, args, r.m.now, got, want)
	}
}

// integers returns the numbers of a reply.
func integers(reply any) []int64 {
	switch v := reply.(type) {
	case int64:
		return []int64{v}
	case string:
		n, _ := strconv.ParseInt(v, 10, 64)
		return []int64{n}
	case []any:
		var out []int64
		for _, one := range v {
			out = append(out, integers(one)...)
		}
		return out
	}
	return nil
}

func (r *paceRun) acquire(d Demand) bool {
	person := 0
	if d.Interactive {
		person = 1
	}
	v := r.m.acquire(d)
	r.compare("acquire", v, r.p.o.MaxWait.Microseconds(), d.Limit.Microseconds(), person, max(d.Slowdown, 1), d.Ahead, inRow)
	if Decision(v[0]) != Granted {
		return false
	}
	r.waiting = append(r.waiting, Slot{at: v[2], reserved: v[2], mark: v[3], before: v[4], next: v[5], slowdown: max(d.Slowdown, 1)})
	return true
}

// send asks for the permission to send the call of one slot, and checks the distance to the call
// before in true time.
func (r *paceRun) send(i int) bool {
	s := r.waiting[i]
	v := r.m.send(s)
	r.compare("send", v, s.at, s.reserved, s.mark, s.slowdown, onTime.Microseconds())
	s.at = v[2]
	if Decision(v[0]) != Granted {
		r.waiting[i] = s
		return false
	}
	s.sent, s.previous, s.margin = v[2], v[3], v[4]
	r.waiting, r.granted = slices.Delete(r.waiting, i, i+1), s
	if at := s.sent - r.ahead; r.last > 0 && at-r.last < r.op.Interval.Microseconds() {
		r.Fatalf("two calls are %v apart", micros(at-r.last))
	}
	r.last = s.sent - r.ahead
	return true
}

// calls makes calls one after another, each as early as it may be sent.
func (r *paceRun) calls(n int) {
	for range n {
		if !r.acquire(Demand{Limit: time.Minute}) {
			return
		}
		for range 50 {
			i := len(r.waiting) - 1
			r.m.now = max(r.m.now, r.waiting[i].at-modelLead/2)
			if r.send(i) {
				break
			}
		}
	}
}

func (r *paceRun) step() {
	draw := func(name string, least, most int64) int64 { return rapid.Int64Range(least, most).Draw(r.T, name) }
	spacing := r.m.spacing()
	switch action := rapid.SampledFrom(paceActions).Draw(r.T, "action"); action {
	case "pass":
		r.m.now += draw("time", 0, spacing)
	case "acquire":
		r.acquire(r.demand(draw))
	case "send":
		if n := int64(len(r.waiting)); n > 0 {
			i := int(draw("slot", 0, n-1))
			if rapid.Bool().Draw(r.T, "wait") {
				r.m.now = max(r.m.now, r.waiting[i].at-draw("early", -spacing/2, 2*modelLead))
			}
			r.send(i)
		}
	case "calls":
		r.calls(int(draw("calls", 1, 35)))
	case "refund":
		if n := int64(len(r.waiting)); n > 0 {
			i := int(draw("slot", 0, n-1))
			r.refund(r.waiting[i])
			r.waiting = slices.Delete(r.waiting, i, i+1)
		}
	case "late":
		r.late(draw("late", 0, spacing/4))
	default:
		r.rarely(action, draw)
	}
}

func (r *paceRun) demand(draw func(string, int64, int64) int64) Demand {
	return Demand{
		Interactive: rapid.Bool().Draw(r.T, "interactive"), Ahead: int(max(0, draw("ahead", -2, 3))),
		Limit: time.Duration(draw("limit", 0, 20)) * time.Second, Slowdown: int(max(1, draw("slowdown", -6, 3))),
	}
}

// late sends the last granted call later than granted.
func (r *paceRun) late(by int64) {
	if r.granted.sent == 0 {
		return
	}
	r.m.now += by
	v := r.m.renew(r.granted.sent)
	r.compare("renew", v, r.granted.sent)
	if v[0] > 0 {
		r.granted.sent, r.last = v[0], v[0]-r.ahead
	}
}

func (r *paceRun) refund(s Slot) {
	r.compare("refund", r.m.refund(s), s.at, s.mark, s.next, s.before, s.sent, s.previous)
}

// paceActions are what happens, as often as it is named.
var paceActions = []string{
	"acquire", "acquire", "acquire", "acquire", "send", "send", "send", "send", "pass", "calls", "calls", "late", "refund",
	"refund permission", "throttled", "block", "loss", "server", "back", "earlier release", "day", "many calls", "people",
}

// rarely does what is rare.
func (r *paceRun) rarely(action string, draw func(string, int64, int64) int64) {
	key, rdb, ctx := r.op.key(), r.p.o.Redis, r.Context()
	switch action {
	case "refund permission":
		if s := r.granted; s.sent > 0 {
			r.refund(s)
			if r.granted = (Slot{}); r.m.sent == s.previous {
				r.last = 0 // the call was not sent
			}
		}
	case "throttled":
		s := r.granted
		named := rapid.SampledFrom([]int64{0, r.m.vendor(), r.m.vendor() / 2, r.m.vendor() * 2, r.m.trial, 90_000_000}).Draw(r.T, "named")
		r.compare("throttled", r.m.throttled(s, named), named, maxInterval.Microseconds(), s.sent, s.margin)
	case "block":
		wait := draw("block", 0, 5_000_000)
		r.compare("block", r.m.block(wait), wait)
	case "loss":
		rdb.Del(ctx, key)
		r.m.state = state{}
	case "server":
		r.m.server = rapid.SampledFrom([]string{"", "a", "b"}).Draw(r.T, "server")
	case "back":
		back := draw("back", 1, 90_000_000)
		r.m.now, r.ahead = r.m.now-back, r.ahead-back
	case "earlier release":
		if r.m.next > 0 { // reserves a slot
			r.m.next = max(r.m.next, r.m.now) + r.m.spacing()
			rdb.HSet(ctx, key, "next", r.m.next)
		}
	case "day":
		r.m.now += draw("day", 0, modelDay)
	case "many calls":
		if r.m.run > 0 {
			r.m.run += 2000
			rdb.HSet(ctx, key, "run", r.m.run)
		}
	case "people":
		for range draw("people", 1, 18) {
			r.acquire(Demand{Interactive: true, Limit: time.Minute})
		}
	}
}

// The scripts reply what a simple model replies, and never permit calls closer than the interval.
func TestPaceLikeModel(t *testing.T) {
	t.Parallel()
	rdb := redistest.New(t)
	scripts := map[string]*redis.Script{}
	for name, source := range map[string]string{
		"acquire": acquireSource, "send": sendSource, "renew": renewSource,
		"refund": refundSource, "throttled": throttledSource, "block": blockSource,
	} {
		scripts[name] = timed(t, source)
	}
	rapid.Check(t, func(rt *rapid.T) {
		p := newPace(t, rdb, func(o *Options) {
			o.MinMargin = time.Duration(rapid.SampledFrom([]int64{1, 10, 40}).Draw(rt, "margin")) * time.Millisecond
			o.MaxWait = time.Duration(rapid.SampledFrom([]int64{2, 60}).Draw(rt, "wait")) * time.Second
		})
		op := getPatient(time.Duration(rapid.SampledFrom([]int64{100_000, 250_000, 333_333, 5_000_000, 60_000_000}).Draw(rt, "interval")) * time.Microsecond)
		rdb.Del(t.Context(), op.key())
		r := paceRun{T: rt, p: p, op: op, script: scripts}
		r.m = paceModel{
			documented: op.Interval.Microseconds(), minMargin: p.o.MinMargin.Microseconds(), maxWait: p.o.MaxWait.Microseconds(),
			now: 1_700_000_000_000_000, server: "a",
		}
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			r.step()
		}
	})
}
