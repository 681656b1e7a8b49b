package recovery

import "testing"

// Each step is a request of a worker, with the reply that the sink gives.
type step struct {
	worker int
	request
	yes bool
}

func TestSink(t *testing.T) {
	t.Parallel()
	begin := func(worker int, token uint64, yes bool) step {
		return step{worker, request{Do: doBegin, Run: 1, Task: 1, Token: token}, yes}
	}
	effect := func(worker int, token uint64, yes bool) step {
		return step{worker, request{Do: doEffect, Run: 1, Task: 1, Token: token}, yes}
	}
	for name, tt := range map[string]struct {
		steps            []step
		applied, refused int
	}{
		"one run": {[]step{begin(1, 5, false), effect(1, 5, true)}, 1, 0},
		"the second run sees the first one's effect": {
			[]step{begin(1, 5, false), effect(1, 5, true), begin(2, 6, true)}, 1, 0,
		},
		"a run that lost its task is refused": {
			[]step{begin(1, 5, false), begin(2, 6, false), effect(1, 5, false), effect(2, 6, true)}, 1, 1,
		},
		"runs with one token double": {
			[]step{begin(1, 5, false), begin(2, 5, false), effect(2, 5, true), effect(1, 5, true)}, 2, 0,
		},
		"runs without tokens double": {
			[]step{begin(1, 0, false), begin(2, 0, false), effect(2, 0, true), effect(1, 0, true)}, 2, 0,
		},
		"a later run with a smaller token is refused": {
			[]step{begin(1, 5, false), begin(2, 4, false), effect(2, 4, false)}, 0, 1,
		},
		"an effect without a run": {[]step{effect(1, 5, false)}, 0, 0},
	} {
		s := newSink()
		for i, st := range tt.steps {
			if got := s.take(st.worker, st.request); got != st.yes {
				t.Errorf("%s: reply %d is %t", name, i, got)
			}
		}
		applied, refused := 0, 0
		for _, r := range s.history.runs {
			switch r.result {
			case resultApplied:
				applied++
			case resultRefused:
				refused++
			}
		}
		if applied != tt.applied || refused != tt.refused {
			t.Errorf("%s: %d applied and %d refused", name, applied, refused)
		}
	}
}
