package app

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/flow"
	"github.com/workflow-bolt/rounds/internal/mutation"
	"github.com/workflow-bolt/rounds/tasks"
)

// proxy is between the worker and the simulator. It passes everything on, except the next list that
// covers a day, if one is set: that response becomes what change returns for it.
type proxy struct {
	vendor http.Handler
	next   atomic.Pointer[replacement]
}

type replacement struct {
	day    time.Time
	list   chan []byte
	change chan []byte
}

var rangePattern = regexp.MustCompile(`(StartDate|EndDate)>(\d+/\d+/\d+) `)

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	sent, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(sent))
	next := p.next.Load()
	if next == nil || !strings.HasSuffix(strings.Trim(r.Header.Get("Soapaction"), `"`), "/GetAppointments") || !next.covers(sent) ||
		!p.next.CompareAndSwap(next, nil) {
		p.vendor.ServeHTTP(w, r)
		return
	}
	rec := httptest.NewRecorder()
	p.vendor.ServeHTTP(rec, r)
	next.list <- rec.Body.Bytes()
	w.Header().Set("Content-Type", rec.Header().Get("Content-Type"))
	_, _ = w.Write(<-next.change) // an error means that the worker has gone
}

// covers reports whether a request is for a range that includes the day.
func (n *replacement) covers(request []byte) bool {
	bounds := map[string]time.Time{}
	for _, m := range rangePattern.FindAllSubmatch(request, -1) {
		if day, err := time.Parse("1/2/2006", string(m[2])); err == nil {
			bounds[string(m[1])] = day
		}
	}
	return len(bounds) == 2 && !n.day.Before(bounds["StartDate"]) && !n.day.After(bounds["EndDate"])
}

// shown is what must not change about a row of a board.
type shown struct {
	Appointment, Status, Patient, Reason, Provider string
	Start, End                                     time.Time
}

// stack is a system with a worker, a gateway and the proxy before the vendor.
type stack struct {
	*system

	t     *testing.T
	proxy *proxy
	tools *Tools
	api   *api
}

func newStack(t *testing.T) *stack {
	t.Helper()
	sys := build(t, func(c *tebratest.Config) {
		c.Throttles = tebratest.Throttles{Scale: 0.01}
		for i := range c.Accounts[0].Practices {
			c.Accounts[0].Practices[i].Patients, c.Accounts[0].Practices[i].VisitsPerDay = 40, 12
		}
	})
	s := &stack{system: sys, t: t, proxy: &proxy{vendor: sys.vendor}}
	srv := httptest.NewServer(s.proxy)
	t.Cleanup(srv.Close)
	sys.endpoint = srv.URL + tebratest.Path
	s.tools = sys.tools(t)
	sys.work(t, func(o *WorkerOptions) {
		adjust := o.Flow
		o.Flow = func(f *flow.Options) {
			adjust(f)
			f.MinMargin = 2 * time.Millisecond
		}
	})
	s.api, _ = sys.serve(t)
	r, err := s.tools.Tasks.Enqueue(t.Context(), clinicA.String(), tasks.SyncThrottles{})
	if err != nil {
		t.Fatal(err)
	}
	sys.ends(t, s.tools, r.ID, tasks.StateDone)
	return s
}

// sync demands a day and returns how the attempt ended. If mutate is set, it gets the vendor's list
// and returns the one that the worker reads.
func (s *stack) sync(on civil.Date, mutate func([]byte) []byte) tasks.Status {
	s.t.Helper()
	var next *replacement
	if mutate != nil {
		next = &replacement{day: on.In(time.UTC), list: make(chan []byte, 1), change: make(chan []byte, 1)}
		s.proxy.next.Store(next)
	}
	r, err := s.tools.Tasks.Enqueue(s.t.Context(), clinicA.String(), tasks.SyncSchedule{Practice: "1", From: on, To: on}, tasks.Interactive())
	if err != nil {
		s.t.Fatal(err)
	}
	if next != nil {
		select {
		case list := <-next.list:
			next.change <- mutate(list)
		case <-time.After(time.Minute):
			s.t.Fatal("the worker has not asked for the day")
		}
	}
	var status tasks.Status
	eventually(s.t, func() error {
		status, err = s.tools.Tasks.Status(s.t.Context(), r.ID)
		over := status.State == tasks.StateDone || status.State == tasks.StateDead || next != nil && status.State != tasks.StateRunning
		if err == nil && !over {
			err = fmt.Errorf("%s %s", status.State, string(status.Code))
		}
		return err
	})
	return status
}

// board returns the rows of a day's board, as the gateway's JSON.
func (s *stack) board(on civil.Date) []shown {
	s.t.Helper()
	status, body := s.api.read("/v1/practices/1/board?date="+on.String(), "")
	var doc struct{ Rows []shown }
	if err := json.Unmarshal(body, &doc); err != nil || status != http.StatusOK {
		s.t.Fatalf("board: %d %s", status, body)
	}
	return doc.Rows
}

// try reads a day whose list is mutated, after a good reading or as the first one. It returns what
// is wrong with the board, and how many rows had to be on it.
func (s *stack) try(on civil.Date, readBefore bool, choose mutation.Choose) (wrong string, lost int, m mutation.Response) {
	s.t.Helper()
	var want []shown
	if readBefore {
		s.sync(on, nil)
		want = s.board(on)
	}
	ended := s.sync(on, func(list []byte) []byte {
		m = mutation.Mutate(list, choose)
		return m.Body
	})
	accepted := ended.State == tasks.StateDone
	switch {
	case ended.Code == codes.Panic:
		return "the worker panicked", 0, m
	case !accepted && m.Intact:
		return "an intact response was refused: " + string(ended.State) + " " + string(ended.Code), len(m.Kept), m
	case !accepted && !readBefore:
		return "", 0, m // nothing was there before
	}
	got := s.board(on)
	for _, row := range got {
		if slices.Contains(m.Foreign, row.Appointment) {
			return "a row of another practice is shown", 0, m
		}
	}
	if !readBefore {
		s.sync(on, nil)
		want = s.board(on)
	}
	for _, row := range want {
		if kept := !accepted || slices.Contains(m.Kept, row.Appointment); kept && !slices.Contains(got, row) {
			lost++
		}
	}
	if lost > 0 {
		return fmt.Sprintf("%d rows that were not touched are lost or differ", lost), lost, m
	}
	return "", 0, m
}

// mutate checks one property as often as limit says: whatever the vendor's list looks like, the
// board does not lose a row that was not touched and does not show one of another practice.
func mutate(t *testing.T, limit int) {
	t.Helper()
	s := newStack(t)
	on := civil.DateOf(time.Now()).Add(30)
	passed, kept, intact, lost, failed := 0, 0, 0, 0, false
	defer func() { // a property that fails ends the test
		t.Logf("%d mutated responses, %d with an intact envelope, %d rows that were not touched: %d lost", passed, intact, kept, lost)
	}()
	rapid.Check(t, func(rt *rapid.T) {
		if passed >= limit && !failed {
			return
		}
		failed = true
		on = on.Add(10) // a day of its own, whatever is read again later
		choose := func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") }
		wrong, missing, m := s.try(on, choose(2) == 0, choose)
		lost += missing
		if wrong != "" {
			rt.Fatalf("%s\nafter: %s\n%s", wrong, strings.Join(m.Steps, ", "), m.Body[:min(len(m.Body), 20_000)])
		}
		failed = false
		passed++
		kept += len(m.Kept)
		if m.Intact {
			intact++
		}
	})
	if intact < passed/3 || kept < 4*passed {
		t.Errorf("%d of %d responses are intact, with %d rows that were not touched: too few to prove anything", intact, passed, kept)
	}
}

func TestBoardsSurviveMutatedLists(t *testing.T) {
	t.Parallel()
	mutate(t, 12)
}
