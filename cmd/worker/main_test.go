package main

import (
	"path/filepath"
	"testing"

	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/progtest"
	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestMain(m *testing.M) { redistest.Main(m) }

var program = progtest.Program{
	Run: run, Environment: environment, Ready: "worker ready",
	Needs:   []string{"ROUNDS_QUEUE_REDIS", "ROUNDS_CACHE_REDIS", "ROUNDS_LEDGER", "ROUNDS_KEYS"},
	Listens: []string{"ROUNDS_HEALTH_ADDR"},
}

func environment(t testing.TB) map[string]string {
	t.Helper()
	return map[string]string{
		"ROUNDS_ENV": "dev", "ROUNDS_QUEUE_REDIS": redistest.URL(t), "ROUNDS_CACHE_REDIS": redistest.URL(t),
		"ROUNDS_LEDGER": "sqlite:" + filepath.Join(t.TempDir(), "ledger.db"), "ROUNDS_KEYS": progtest.Keyset(t, phi.Generate),
		"ROUNDS_HEALTH_ADDR": "off", "ROUNDS_TEBRA_ENDPOINT": "http://127.0.0.1:1/soap",
	}
}

func TestProgramContract(t *testing.T) {
	t.Parallel()
	program.Check(t)
}
