package work

import (
	"bytes"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/tasks"
)

// The lists that the planner demands of a practice.
var (
	today = days(monday, monday)
	ahead = days(monday.Add(1), monday.Add(7))
	night = tasks.SyncSchedule{Practice: "7", From: monday, To: monday.Add(7), Lookback: 52}
)

// once reads a list and reports whether one request returned all of its days.
func (b *bundle) once(t *testing.T, list tasks.SyncSchedule) bool {
	t.Helper()
	before := b.calls()
	b.done(t, list)
	return b.calls() == before+1 && strings.Contains(b.line.sent, "EndDate>"+list.To.In(time.UTC).Format("1/2/2006 "))
}

// Each regular reading is one list, however long ago a known entry began and however many visits
// the practice has.
func TestLongEntriesCostNoFurtherLists(t *testing.T) {
	t.Parallel()
	for visits, began := range map[int]int{2: -55, 250: -20} {
		t.Run(strconv.Itoa(visits), func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(c *tebratest.Config) {
				c.Accounts[0].Practices[0].VisitsPerDay = visits
				c.Odd = []tebratest.Oddity{tebratest.OddOverlap}
			})
			id := b.block(began, 60)
			for round := range 2 {
				for _, list := range []tasks.SyncSchedule{today, ahead, night} {
					if !b.once(t, list) {
						t.Errorf("round %d, %s..%s: more than one list", round, list.From, list.To)
					}
				}
			}
			for _, on := range civil.Range(monday, monday.Add(7)) {
				if r := b.board(t, on); !shows(r, id) || r.Stale || len(r.Board.Incomplete) > 0 {
					t.Errorf("%s shows the entry: %t, stale %t, incomplete %v", on, shows(r, id), r.Stale, r.Board.Incomplete)
				}
			}
		})
	}
}

// Where the vendor selects by start, an entry that began long ago is on the boards once each of the
// regular readings has been made twice, also if nothing is known of the days. One that is entered
// later is found by the nightly reading, and so is its end.
func TestEntriesThatBeganLongAgo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	has := func(what, id string, from, to int, want bool) {
		t.Helper()
		for _, on := range civil.Range(monday.Add(from), monday.Add(to)) {
			if r := b.board(t, on); shows(r, id) != want || r.Stale || r.Missing > 0 || len(r.Board.Incomplete) > 0 {
				t.Errorf("%s: %s shows it: %t, stale %t, missing %d, incomplete %v", what, on, shows(r, id), r.Stale, r.Missing, r.Board.Incomplete)
			}
		}
	}
	early := b.block(-52, 20)
	for range 2 {
		b.done(t, today)
		b.done(t, ahead)
	}
	has("known from the first", early, 0, 7, true)
	later := b.block(-40, 7)
	b.done(t, today)
	has("entered later", later, 0, 0, false)
	b.done(t, night)
	has("read at night", later, 0, 7, true)
	for _, id := range []string{early, later} {
		must(t, b.clinic.Withdraw(id, func(tebratest.Visit) bool { return true }))
	}
	b.done(t, today)
	has("withdrawn", later, 0, 0, true) // no list of these days shows that
	b.done(t, night)
	has("withdrawn, read at night", later, 0, 7, false)
	has("withdrawn, read at night", early, 0, 7, false)
}

// A far list that the vendor cannot answer is repeated as a near one at once. The lists that follow
// are near ones too, and reach far again after a pause.
func TestFarListThatFailsIsShortened(t *testing.T) {
	t.Parallel()
	far := "StartDate>" + monday.Add(-59).In(time.UTC).Format("1/2/2006 ")
	for code, status := range map[tasks.Code]int{codes.VendorMalformed: http.StatusOK, codes.VendorUnavailable: http.StatusServiceUnavailable} {
		t.Run(string(code), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.done(t, today)
			early := b.block(-20, 2)
			next, failed := b.line.next, 0
			b.line.next = carrier(func(r *http.Request) (*http.Response, error) {
				resp, err := next.RoundTrip(r)
				if err == nil && strings.Contains(b.line.sent, far) {
					failed++
					body, err := io.ReadAll(resp.Body)
					must(t, err)
					body = bytes.ReplaceAll(body, []byte("</AppointmentData>"), []byte("</Other>"))
					resp.StatusCode, resp.Body, resp.ContentLength = status, io.NopCloser(bytes.NewReader(body)), int64(len(body))
				}
				return resp, err
			})
			asked := time.Now()
			o := b.run(t, today)
			want(t, o, tasks.OutcomeLater, code)
			if wait := o.NextAt.Sub(asked); wait > 5*time.Second {
				t.Errorf("it comes back after %v", wait)
			}
			must(t, b.clinic.SetStatus(b.visits(monday)[0].ID, tebratest.CheckedIn))
			for range 2 {
				before := b.board(t, monday).AsOf
				b.done(t, today)
				if r := b.board(t, monday); r.Stale || !r.AsOf.After(before) {
					t.Errorf("the board is stale: %t, as of %v", r.Stale, r.AsOf)
				}
			}
			if failed != 1 || shows(b.board(t, monday), early) {
				t.Errorf("%d far lists have failed", failed)
			}
			b.line.next = next
			must(t, b.Store.Pause(t.Context(), clinicA, "7", farList, time.Millisecond))
			for paused := true; paused; {
				var err error
				paused, err = b.Store.Paused(t.Context(), clinicA, "7", farList)
				must(t, err)
			}
			b.done(t, today)
			if r := b.board(t, monday); !shows(r, early) {
				t.Error("after the pause the list is a near one")
			}
		})
	}
}

// carrier is a function that carries requests.
type carrier func(*http.Request) (*http.Response, error)

func (c carrier) RoundTrip(r *http.Request) (*http.Response, error) { return c(r) }
