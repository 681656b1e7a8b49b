package practice

import "testing"

// After the promotion of a replica, which may lack invalidations, a board is stale until its day
// has been read again, although nothing in the answer has changed.
func TestBoardAfterAPromotion(t *testing.T) {
	t.Parallel()
	b := setup(t)
	know := func() {
		for _, v := range visits(3) {
			b.patient(t, Patient{ID: v.Patient, Practice: "7", Last: "Name"})
		}
		b.see(t, monday, visits(3)...)
	}
	fresh := func(when string, stale bool) {
		t.Helper()
		for range 2 {
			if r := b.board(t, monday); r.Stale != stale || len(r.Board.Rows) != 3 {
				t.Errorf("%s: %d rows, stale %t", when, len(r.Board.Rows), r.Stale)
			}
		}
	}
	know()
	fresh("before", false)
	if err := b.rdb.HSet(t.Context(), clinic.Key("c1", "m"), "h", "another").Err(); err != nil {
		t.Fatal(err)
	}
	fresh("after the promotion", true)
	know()
	fresh("after another answer", false)
}
