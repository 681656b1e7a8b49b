package outages

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/tasks"
)

const (
	// queueLead is when tasks are due that must be enqueued before the queue becomes unavailable.
	queueLead = 4 * time.Second
	// lookEvery is the pause between readings of all changed records, so that reading them does not
	// take the workers' processor.
	lookEvery = 300 * time.Millisecond
	// resumeLimit bounds the wait for all tasks after an outage.
	resumeLimit = 90 * time.Second
)

// scenario is one outage of one store.
type scenario struct {
	name  string
	store string
	fault fault
}

func (s *system) scenarios() []scenario {
	var out []scenario
	for _, store := range []struct {
		name   string
		faults []fault
	}{{"cache", s.cache.faults()}, {"queue", s.queue.faults()}, {"ledger", s.ledger.faults()}} {
		for _, f := range store.faults {
			out = append(out, scenario{store.name + " " + f.name, store.name, f})
		}
	}
	return out
}

// result is what one outage did.
type result struct {
	used, dead    int // runs that counted as failed, and dead letters
	waiting       int // tasks that had not run when the outage ended
	pickups       int // of the task with the most runs until it resumed
	stale, proven int // records that were called fresh while wrong, and records that were seen wrong
	resume        []float64
}

// play lets the store be unavailable while tasks and invalidations wait, and observes what happens
// until all have run.
func (s *system) play(ctx context.Context, sc scenario, o options, round int) (r result, err error) {
	if err := s.work(ctx); err != nil { // workers that need the ledger for every tenant
		return r, err
	}
	changed, err := s.change(o.invalidations, round)
	if err != nil {
		return r, err
	}
	s.take()
	ids := map[string]bool{}
	var how []tasks.Option
	if sc.store == "queue" {
		how = append(how, tasks.In(queueLead))
		if err := s.demand(ctx, o, changed, ids, how...); err != nil {
			return r, err
		}
	}
	if err := sc.fault.begin(ctx); err != nil {
		return r, err
	}
	over := time.NewTimer(o.length())
	defer over.Stop()
	if sc.store != "queue" {
		if err := s.demand(ctx, o, changed, ids); err != nil {
			return r, err
		}
	}
	select {
	case <-over.C:
	case <-ctx.Done():
		return r, ctx.Err()
	}
	seen := s.watch(ctx, changed)
	err = sc.fault.end(ctx)
	back := time.Now()
	if err == nil {
		r, err = s.observe(ctx, ids, changed, back)
	}
	r.proven = max(r.proven, seen())
	return r, err
}

// watch reads the cards of the changed records again and again, and from before a store is back:
// the invalidations may have run when the first look after that is over. The function that it
// returns ends the watch and returns how many records were seen wrong.
func (s *system) watch(ctx context.Context, changed map[string]string) (end func() int) {
	ctx, cancel := context.WithCancel(ctx)
	wrong := map[string]bool{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		pause := time.NewTicker(5 * time.Millisecond) // the gateway has other work
		defer pause.Stop()
		for ctx.Err() == nil {
			for id, name := range changed {
				select {
				case <-ctx.Done():
					return
				case <-pause.C:
				}
				if c, err := s.card(ctx, id); err == nil && c.Patient.Last != name {
					wrong[id] = true
				}
			}
		}
	}()
	return func() int { cancel(); <-done; return len(wrong) }
}

// change changes records at the vendor and returns what they are to be, by patient.
func (s *system) change(n, round int) (map[string]string, error) {
	changed := map[string]string{}
	for _, p := range s.clinic.Patients()[:n] {
		name := "Round" + string(rune('A'+round))
		if err := s.clinic.SetName(p.ID, p.FirstName, name); err != nil {
			return nil, err
		}
		changed[p.ID] = name
	}
	return changed, nil
}

// demand enqueues the tasks and the invalidations. Most tasks build the card of one patient; those
// of the practices' patients write to the ledger.
func (s *system) demand(ctx context.Context, o options, changed map[string]string, ids map[string]bool, how ...tasks.Option) error {
	var all []tasks.Args
	for id := range changed {
		all = append(all, tasks.InvalidateEntity{Practice: "1", Noun: tasks.NounPatient, ID: tasks.EntityID(id)})
	}
	for i := range practices {
		all = append(all, tasks.SyncPatients{Practice: strconv.Itoa(i + 1)})
	}
	for _, p := range s.clinic.Patients()[:o.tasks-practices] {
		all = append(all, tasks.WarmView{View: tasks.PatientCard, Practice: "1", Date: s.today(), Patient: tasks.PatientID(p.ID)})
	}
	got, err := s.tools.Tasks.EnqueueMany(ctx, owner.String(), all, how...)
	for _, receipt := range got {
		ids[receipt.ID] = true
	}
	return err
}

func (s *system) today() civil.Date { return civil.DateOf(time.Now().In(s.clinic.Location())) }

// observe follows tasks and records until everything has run.
func (s *system) observe(ctx context.Context, all map[string]bool, changed map[string]string, back time.Time) (r result, err error) {
	var runs []ended
	done := map[string]bool{}
	var left map[string]bool
	wrong, called := map[string]bool{}, map[string]bool{}
	var last time.Time
	right := false
	err = until(ctx, resumeLimit, "all tasks have run, and all records are right", func() bool {
		if time.Since(last) < lookEvery {
			return false
		}
		right = s.look(ctx, changed, wrong, called)
		last = time.Now()
		runs = append(runs, s.take()...)
		for _, run := range runs {
			done[run.ID] = done[run.ID] || run.over()
		}
		left = maps.Clone(all)
		maps.DeleteFunc(left, func(id string, _ bool) bool { return done[id] })
		return right && len(left) == 0
	})
	if err != nil {
		err = fmt.Errorf("%d tasks have not ended, records are right: %v: %w", len(left), right, err)
	}
	r.stale, r.proven = len(called), len(wrong)
	r.count(all, runs, back)
	if err == nil {
		err = s.idle(ctx)
	}
	return r, err
}

// count fills in what the runs show. A task has resumed with the first run that no store ended.
func (r *result) count(all map[string]bool, runs []ended, back time.Time) {
	pickups := map[string]int{}
	resumed := map[string]time.Time{}
	for _, run := range runs {
		if run.Outcome.State == tasks.OutcomeDead {
			r.dead++
		}
		if run.Counted {
			r.used++
		}
		if _, ok := resumed[run.ID]; ok || !all[run.ID] {
			continue
		}
		pickups[run.ID]++
		if !isOutage(run.Outcome.Code) {
			resumed[run.ID] = run.at
		}
	}
	for id := range all {
		r.pickups = max(r.pickups, pickups[id])
		if at, ok := resumed[id]; !ok || at.After(back) {
			r.waiting++
			if ok {
				r.resume = append(r.resume, at.Sub(back).Seconds())
			}
		}
	}
}

// isOutage reports whether a store ended the run.
func isOutage(c codes.Code) bool {
	_, ok := outage.StoreOf(c)
	return ok
}

// look reads the cards of the changed records and reports whether all are right. A card that is
// wrong goes into wrong, and one that is wrong and called fresh into called.
func (s *system) look(ctx context.Context, changed map[string]string, wrong, called map[string]bool) bool {
	right := true
	for id, name := range changed {
		c, err := s.card(ctx, id)
		switch {
		case err != nil:
			right = false
		case c.Patient.Last != name:
			right, wrong[id] = false, true
			if !c.Stale {
				called[id] = true
			}
		}
	}
	return right
}

// idle waits until what the tasks have caused has run too.
func (s *system) idle(ctx context.Context) error {
	last := time.Now()
	return until(ctx, resumeLimit, "nothing runs any more", func() bool {
		if len(s.take()) > 0 {
			last = time.Now()
		}
		return time.Since(last) > time.Second
	})
}

// prepare fills the cache: every patient's record, the days of their cards, and the cards.
func (s *system) prepare(ctx context.Context, o options) error {
	if err := s.work(ctx); err != nil {
		return err
	}
	args := []tasks.Args{tasks.SyncPractices{}, tasks.SyncSchedule{Practice: "1", From: s.today(), To: s.today().Add(40)}}
	for _, p := range s.clinic.Patients() {
		args = append(args, tasks.SyncPatient{Practice: "1", Patient: tasks.PatientID(p.ID)})
	}
	if _, err := s.tools.Tasks.EnqueueMany(ctx, owner.String(), args); err != nil {
		return err
	}
	if err := s.idle(ctx); err != nil {
		return err
	}
	// The cards are built once, so that the outages measure how tasks resume and not that work.
	if err := s.demand(ctx, o, nil, map[string]bool{}); err != nil {
		return err
	}
	if err := s.idle(ctx); err != nil {
		return err
	}
	// The first patients' cards are read, and fresh, before anything happens.
	return until(ctx, resumeLimit, "the cards are fresh", func() bool {
		for _, p := range s.clinic.Patients()[:o.invalidations] {
			if c, err := s.card(ctx, p.ID); err != nil || c.Stale {
				return false
			}
		}
		return true
	})
}

// card is the part of a card that the bench reads.
type card struct {
	Stale   bool `json:"stale"`
	Patient struct {
		Last string `json:"last"`
	} `json:"patient"`
}

func read(ctx context.Context, client *http.Client, url string) (c card, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return c, err
	}
	req.Header.Set("Authorization", "Bearer "+apiKey)
	resp, err := client.Do(req)
	if err != nil {
		return c, err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode != http.StatusOK {
		return c, fmt.Errorf("status %d", resp.StatusCode)
	}
	return c, json.NewDecoder(resp.Body).Decode(&c)
}
