package config

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/workflow-bolt/rounds/internal/secret"
)

// LoadStores requires what the command needs and nothing else.
func TestLoadStores(t *testing.T) {
	t.Parallel()
	for need, want := range map[Need][]string{
		0:                      nil,
		NeedQueue:              {"ROUNDS_QUEUE_REDIS"},
		NeedCache:              {"ROUNDS_CACHE_REDIS"},
		NeedLedger:             {"ROUNDS_LEDGER"},
		NeedQueue | NeedLedger: {"ROUNDS_LEDGER", "ROUNDS_QUEUE_REDIS"},
	} {
		_, err := LoadStores(func(string) string { return "" }, need)
		if diff := cmp.Diff(want, slices.Sorted(maps.Keys(problemsOf(t, err)))); diff != "" {
			t.Errorf("need %d (-want +got):\n%s", need, diff)
		}
	}
	env := production(t)
	s, err := LoadStores(getenv(env), NeedQueue|NeedLedger)
	if err != nil {
		t.Fatal(err)
	}
	want := Stores{Redis: Redis{Queue: secret.Value(env["ROUNDS_QUEUE_REDIS"])}, LedgerURL: secret.Value(env["ROUNDS_LEDGER"])}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("stores (-want +got):\n%s", diff)
	}
	env["ROUNDS_QUEUE_REDIS"] = "redis://:" + leak + "@queue.clinic.net"
	if _, err := LoadStores(getenv(env), NeedQueue); len(problemsOf(t, err)["ROUNDS_QUEUE_REDIS"]) != 1 {
		t.Errorf("an unencrypted server in production: %v", err)
	}
}
