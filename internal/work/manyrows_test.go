package work

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/practice"
	"github.com/workflow-bolt/rounds/tasks"
)

// manyRows returns a list of n appointments of one day, in place of the list in body.
func manyRows(body, day string, n int) string {
	before, rest, _ := strings.Cut(body, "<Appointments>")
	_, after, _ := strings.Cut(rest, "</Appointments>")
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "<AppointmentData><ConfirmationStatus>Scheduled</ConfirmationStatus><ID>%d</ID><PatientFullName>Test Patient</PatientFullName>"+
			"<PatientID>%d</PatientID><PracticeID>7</PracticeID><StartDate>%s %d:%02d:00 PM</StartDate></AppointmentData>", 100_000+i, 1_000_000+i%2000, day, 1+i%10, i%60)
	}
	return before + "<Appointments>" + b.String() + "</Appointments>" + after
}

// A day with far more visits than any practice has is served as a whole, or refused with a code
// that says why.
func TestDaysOfManyVisits(t *testing.T) {
	t.Parallel()
	on := monday.Add(7)
	for rows, code := range map[int]codes.Code{1500: "", 2500: codes.TooMuchData, 9_999: codes.TooMuchData, 10_000: codes.TooMuchData} {
		t.Run(strconv.Itoa(rows), func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.done(t, days(on, on))
			before := len(b.board(t, on).Board.Rows)
			b.line.answer = func(body string) string { return manyRows(body, "3/9/2026", rows) }
			if code == "" {
				b.done(t, days(on, on))
				if board := b.board(t, on).Board; len(board.Rows) != rows || len(board.Incomplete) != 0 {
					t.Errorf("%d rows on the board, incomplete %v", len(board.Rows), board.Incomplete)
				}
				return
			}
			want(t, b.run(t, days(on, on)), tasks.OutcomeDead, code)
			if after := len(b.board(t, on).Board.Rows); after != before {
				t.Errorf("%d rows on the board after the refusal, want %d as before", after, before)
			}
		})
	}
}

// A list that the vendor cuts at its limit takes nothing from the day, which states that it may
// lack rows.
func TestDayThatTheVendorCuts(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.done(t, days(monday, monday))
	before := len(b.board(t, monday).Board.Rows)
	b.line.answer = func(body string) string {
		return strings.Replace(body, "</Appointments>", strings.Repeat("<AppointmentData/>", 10_000)+"</Appointments>", 1)
	}
	b.done(t, days(monday, monday))
	board := b.board(t, monday).Board
	isCut := func(o practice.Omission) bool { return o.Code == codes.ListCut && o.Rows == 0 }
	if len(board.Rows) != before || !slices.ContainsFunc(board.Incomplete, isCut) {
		t.Errorf("%d rows, want %d; incomplete %v", len(board.Rows), before, board.Incomplete)
	}
}
