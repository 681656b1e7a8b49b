package practice

import (
	"testing"
	"time"
)

func TestConfirmed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	days := []Roster{{clinic, "7", monday}, {clinic, "8", monday}, {"clinic-b", "7", monday}}
	got, err := b.store.Confirmed(t.Context(), days)
	if err != nil || got[0] >= 0 || got[1] >= 0 || got[2] >= 0 {
		t.Fatalf("before the vendor was asked: %v, %v", got, err)
	}
	b.see(t, monday, visits(3)...)
	got, err = b.store.Confirmed(t.Context(), days)
	if err != nil || got[0] < 0 || got[0] > time.Minute || got[1] >= 0 || got[2] >= 0 {
		t.Fatalf("%v, %v", got, err)
	}
	board := b.board(t, monday)
	if age := time.Since(board.AsOf); got[0] > age+time.Second {
		t.Errorf("confirmed %v ago, and the board is %v old", got[0], age)
	}
	_ = b.rdb.Close()
	if _, err := b.store.Confirmed(t.Context(), days); err == nil {
		t.Error("Confirmed succeeds without Redis")
	}
}
