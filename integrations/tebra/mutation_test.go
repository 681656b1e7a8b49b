package tebra_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/mutation"
)

// mutated is a list of the simulator, which tests mutate.
type mutated struct {
	body []byte
	rows map[string]tebra.Appointment // as read without mutations
}

// recorder keeps the last response's body.
type recorder struct {
	next http.RoundTripper
	body []byte
}

func (r *recorder) RoundTrip(q *http.Request) (*http.Response, error) {
	resp, err := r.next.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	r.body, err = io.ReadAll(resp.Body)
	resp.Body = io.NopCloser(bytes.NewReader(r.body))
	return resp, err
}

// listThrough reads a day's list through a transport.
func listThrough(ctx context.Context, transport http.RoundTripper) (tebra.Appointments, error) {
	c, err := tebra.New(tebra.Options{
		Account:     "account-a",
		Credentials: tebra.Credentials{CustomerKey: "key-1", User: "user@example.test", Password: `p<&>"'w`},
		HTTPClient:  &http.Client{Transport: transport},
	})
	if err != nil {
		return tebra.Appointments{}, err
	}
	return c.Appointments.List(ctx, oneDay())
}

// original returns the list of a day.
var original = sync.OnceValues(func() (*mutated, error) {
	practice := tebratest.Practice{ID: 1, Name: "Example Practice", VisitsPerDay: 12, Patients: 40}
	account := tebratest.Account{CustomerKey: "key-1", User: "user@example.test", Password: `p<&>"'w`, Practices: []tebratest.Practice{practice}}
	day := oneDay()
	sim, err := tebratest.New(tebratest.Config{Accounts: []tebratest.Account{account}, Now: func() time.Time { return day.From }})
	if err != nil {
		return nil, err
	}
	recorded := &recorder{next: sim.Client().Transport}
	m := &mutated{rows: map[string]tebra.Appointment{}}
	list, err := listThrough(context.Background(), recorded)
	if err != nil {
		return nil, err
	}
	for _, row := range list.Rows {
		m.rows[row.ID.Reveal()] = row
	}
	m.body = recorded.body
	if len(m.rows) != practice.VisitsPerDay {
		return nil, fmt.Errorf("%d rows", len(m.rows))
	}
	return m, nil
})

// check reads a mutated response and returns what is wrong with the outcome, and how many rows
// were lost.
func (m *mutated) check(ctx context.Context, r mutation.Response) (wrong string, lost int) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	list, err := listThrough(ctx, always(200, "text/xml; charset=utf-8", string(r.Body)))
	switch {
	case ctx.Err() != nil:
		return "the time is not bounded", len(r.Kept)
	case err != nil && strings.Contains(err.Error(), "Example"):
		return "the error quotes the response", 0
	case err != nil && !r.Intact:
		return "", 0
	case err != nil:
		return "an intact response was refused: " + err.Error(), len(r.Kept)
	}
	for _, id := range r.Kept {
		if !m.holds(list.Rows, id) {
			lost++
		}
	}
	if lost > 0 {
		return fmt.Sprintf("%d rows that were not touched are lost or differ", lost), lost
	}
	return "", 0
}

// holds reports whether rows contain the row with this ID as it was.
func (m *mutated) holds(rows []tebra.Appointment, id string) bool {
	for i := range rows {
		if rows[i].ID.Reveal() == id && reflect.DeepEqual(rows[i], m.rows[id]) {
			return true
		}
	}
	return false
}

// mutate checks one property: a reader never loses a row that was not touched, and never panics.
func mutate(t *testing.T) {
	t.Helper()
	m, err := original()
	if err != nil {
		t.Fatal(err)
	}
	responses, intact, kept, lost := 0, 0, 0, 0
	defer func() { // a property that fails ends the test
		t.Logf("%d mutated responses, %d with an intact envelope, %d rows that were not touched: %d lost", responses, intact, kept, lost)
	}()
	rapid.Check(t, func(rt *rapid.T) {
		r := mutation.Mutate(m.body, func(n int) int { return rapid.IntRange(0, n-1).Draw(rt, "choice") })
		wrong, missing := m.check(t.Context(), r)
		responses++
		kept += len(r.Kept)
		lost += missing
		if r.Intact {
			intact++
		}
		if wrong != "" {
			rt.Fatalf("%s\nafter: %s\n%s", wrong, strings.Join(r.Steps, ", "), clip(r.Body))
		}
	})
	if intact < responses/2 || kept < responses*len(m.rows)/2 {
		t.Errorf("%d of %d responses are intact, with %d rows that were not touched: too few to prove anything", intact, responses, kept)
	}
}

func TestMutatedListsLoseNoRow(t *testing.T) {
	t.Parallel()
	mutate(t)
}

// clip returns the beginning of a text for a message.
func clip(text []byte) []byte { return text[:min(len(text), 20_000)] }
