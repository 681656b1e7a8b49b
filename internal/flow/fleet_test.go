package flow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/redistest"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// fleetModel does what share.lua does.
type fleetModel struct {
	virtual time.Duration
	reached map[tenant.ID]time.Duration // of tenants that are ahead
	waiting map[tenant.ID]time.Time     // until when that counts
}

func newFleetModel() *fleetModel {
	return &fleetModel{reached: map[tenant.ID]time.Duration{}, waiting: map[tenant.ID]time.Time{}}
}

func (m *fleetModel) exchange(now time.Time, uses []use) (ahead []time.Duration) {
	for _, u := range uses {
		id := u.share.tenant
		m.reached[id] = min(max(m.reached[id], m.virtual)+max(u.used, 0), m.virtual+mostAhead)
		if u.waits {
			m.waiting[id] = now.Add(waitLife)
		}
	}
	next := time.Duration(math.MaxInt64)
	maps.DeleteFunc(m.waiting, func(_ tenant.ID, until time.Time) bool { return now.After(until) })
	for id := range m.waiting {
		next = min(next, max(m.reached[id], m.virtual))
	}
	if len(m.waiting) == 0 {
		next = m.virtual
		for _, reached := range m.reached {
			next = max(next, reached)
		}
	}
	m.virtual = next
	for id, reached := range m.reached {
		if reached <= next {
			delete(m.reached, id)
		}
	}
	for _, u := range uses {
		ahead = append(ahead, max(m.reached[u.share.tenant], next)-next)
	}
	return ahead
}

// TestShareScriptFollowsItsModel exchanges use in every order, while callers begin and end to wait.
func TestShareScriptFollowsItsModel(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		rapid.Check(t, func(rt *rapid.T) {
			rdb.FlushDB(t.Context())
			f, m := &fleet{rdb: rdb, waitLife: time.Hour}, newFleetModel()
			rt.Repeat(map[string]func(*rapid.T){
				"exchange": func(rt *rapid.T) {
					var uses []use
					for i := range 4 {
						if rapid.Bool().Draw(rt, "takes part") {
							uses = append(uses, use{
								share: &share{tenant: tenant.ID(fmt.Sprintf("clinic-%d", i))},
								used:  time.Duration(rapid.IntRange(-1, 90).Draw(rt, "seconds")) * time.Second,
								waits: rapid.Bool().Draw(rt, "waits"),
							})
						}
					}
					got, err := f.exchange(t.Context(), uses)
					if err != nil {
						rt.Fatal(err)
					}
					for i, want := range m.exchange(time.Time{}, uses) {
						if got.ahead[i] != want {
							rt.Fatalf("%s is ahead by %v, want %v", uses[i].share.tenant, got.ahead[i], want)
						}
					}
					if f.virtual != m.virtual {
						rt.Fatalf("the virtual time is %v, want %v", f.virtual, m.virtual)
					}
				},
				"pass": func(rt *rapid.T) { // the reports of waiting callers no longer count
					past := rapid.Bool().Draw(rt, "past") // otherwise the clock was set back
					for id := range m.waiting {
						at := rdb.Time(t.Context()).Val()
						if at = at.Add(-time.Second); !past {
							at = at.Add(3 * time.Hour)
						}
						rdb.ZAdd(t.Context(), fleetKeys()[2], redis.Z{Score: float64(at.UnixMicro()), Member: id.String()})
					}
					clear(m.waiting)
				},
				"": func(rt *rapid.T) {
					if n := rdb.ZCard(t.Context(), fleetKeys()[1]).Val(); n != int64(len(m.reached)) {
						rt.Fatalf("%d tenants are stored, %d are ahead", n, len(m.reached))
					}
				},
			})
		})
	})
}

// Lost and damaged keys cost history, not service.
func TestShareSurvivesLostAndDamagedKeys(t *testing.T) {
	t.Parallel()
	onBothServers(t, func(t *testing.T, rdb *redis.Client) {
		f := &fleet{rdb: rdb, waitLife: time.Hour}
		a, b := &share{tenant: "clinic-a"}, &share{tenant: "clinic-b"}
		uses := []use{{share: a, used: time.Hour, waits: true}, {share: b, waits: true}}
		for range 5 {
			if c, err := f.exchange(t.Context(), uses); err != nil || c.ahead[0] != mostAhead || c.ahead[1] != 0 {
				t.Fatalf("%+v, %v", c, err)
			}
		}
		for i, key := range fleetKeys() {
			for name, damage := range map[string]func(){
				"lost":         func() { rdb.Del(t.Context(), key) },
				"a text":       func() { rdb.Set(t.Context(), key, "x", 0) },
				"a list":       func() { rdb.Del(t.Context(), key); rdb.RPush(t.Context(), key, "x") },
				"no number":    func() { rdb.Del(t.Context(), key); rdb.HSet(t.Context(), key, "v", "nan") },
				"infinite":     func() { rdb.Del(t.Context(), key); rdb.HSet(t.Context(), key, "v", "inf") },
				"out of range": func() { rdb.Del(t.Context(), key); rdb.HSet(t.Context(), key, "v", "-7") },
			} {
				damage()
				for range 2 {
					c, err := f.exchange(t.Context(), uses)
					if err != nil || max(c.ahead[0], c.ahead[1]) > mostAhead || min(c.ahead[0], c.ahead[1]) != 0 {
						t.Errorf("key %d, %s: %+v, %v", i, name, c, err)
					}
				}
			}
		}
		for _, key := range fleetKeys() {
			if life := rdb.PTTL(t.Context(), key).Val(); life <= 0 || life > fleetLife {
				t.Errorf("a key lives for %v", life)
			}
		}
	})
}

// An exchange ends with the caller that waits for it. The next one is due soon and has its figures.
func TestExchangeEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	call(t, f, getPatient(), tebra.Outcome{}) // connects
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.fleet.exchange(ended, []use{{share: f.account(clinic).share}}); !errors.Is(err, context.Canceled) {
		t.Errorf("an exchange whose caller gave up: %v", err)
	}
	f.places.waited(f.account(clinic).share, time.Now())
	f.fleet.next = time.Time{}
	f.exchange(ended)
	if n := len(f.places.unreported); n != 1 || !f.fleet.due(time.Now()) {
		t.Errorf("the figures of %d tenants are left for the next exchange", n)
	}
}

// A permit reports its outcome and the use of the vendor although its caller has gone.
func TestOutcomeOutlivesItsCaller(t *testing.T) {
	t.Parallel()
	f := newFlow(t, redistest.New(t))
	p := enter(t, f, getPatient())
	s := f.account(clinic).share
	f.fleet.next = time.Time{}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	p.Done(ended, tebra.Outcome{})
	if n := len(f.places.unreported); n != 0 || s.compared.IsZero() {
		t.Errorf("the use of %d tenants is not reported, the last comparison was at %v", n, s.compared)
	}
}

// fleetRun is several processes in which tenants have callers that always come again.
type fleetRun struct {
	slots   int
	weights []float64
	latency []time.Duration
	callers [][]int // by process and tenant
}

// mean returns how many calls each tenant has in flight on average in some time, after as much time
// for the first calls.
func (r fleetRun) mean(t *testing.T, period time.Duration) []float64 {
	t.Helper()
	mean := make([]float64, len(r.weights))
	synctest.Test(t, func(t *testing.T) {
		var wg sync.WaitGroup
		var mu sync.Mutex
		begin := time.Now().Add(period)
		end := begin.Add(period)
		call := func(p *places, s *share, tenant int) {
			w := p.request(s, tebra.Call{Operation: "o", Interval: time.Millisecond})
			if !p.await(t.Context(), w) {
				return
			}
			p.send(w)
			sent := time.Now()
			<-time.After(r.latency[tenant])
			p.ended(s, "o", r.latency[tenant], 0)
			mu.Lock()
			until := earlier(time.Now(), end)
			mean[tenant] += max(0, min(until.Sub(sent), until.Sub(begin))).Seconds() / period.Seconds()
			mu.Unlock()
			p.release(w)
		}
		var processes []*places
		for _, counts := range r.callers {
			p := newPlaces(r.slots)
			processes = append(processes, p)
			for i, n := range counts {
				s := &share{tenant: tenant.ID(fmt.Sprintf("clinic-%d", i)), weight: r.weights[i]}
				for range n {
					wg.Go(func() {
						for time.Now().Before(end) {
							call(p, s, i)
						}
					})
				}
			}
		}
		m := newFleetModel()
		for time.Now().Before(end) {
			<-time.After(exchangeEvery)
			for _, p := range processes {
				now := time.Now()
				uses := p.uses(now)
				p.compared(uses, comparison{ahead: m.exchange(now, uses)}, now)
			}
		}
		wg.Wait()
	})
	return mean
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// A tenant with callers in one process only gets its share of the fleet from the places there.
// Tenants that compete everywhere share by weight, however long their calls take.
func TestTenantsShareTheFleet(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		run         fleetRun
		least, most []float64
	}{
		"present everywhere, and in one process": {
			fleetRun{12, []float64{1, 1}, []time.Duration{2 * time.Second, 2 * time.Second}, [][]int{{12, 12}, {12, 0}, {12, 0}}},
			// The other keeps two places there: 2, 5 and 5 free.
			[]float64{12, 4.8},
			[]float64{15, 5.2},
		},
		"slow and fast calls": {
			fleetRun{12, []float64{1, 1}, []time.Duration{18 * time.Second, 500 * time.Millisecond}, [][]int{{12, 12}, {12, 12}}},
			[]float64{7, 7},
			[]float64{9, 9},
		},
		"weights": {
			fleetRun{24, []float64{3, 1}, []time.Duration{3 * time.Second, time.Second}, [][]int{{24, 24}, {24, 24}}},
			[]float64{19, 6},
			[]float64{22, 9},
		},
		"a light tenant in one process": {
			fleetRun{12, []float64{1, 1}, []time.Duration{5 * time.Second, time.Second}, [][]int{{12, 1}, {12, 0}}},
			[]float64{11, 0.9},
			[]float64{12.5, 1.1},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := tc.run.mean(t, 5*time.Minute)
			for i := range got {
				if got[i] < tc.least[i] || got[i] > tc.most[i] {
					t.Errorf("tenant %d has %.2f calls in flight, want %.1f to %.1f", i, got[i], tc.least[i], tc.most[i])
				}
			}
		})
	}
}
