package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/workflow-bolt/rounds/bench/internal/peer"
	"github.com/workflow-bolt/rounds/bench/internal/process"
	"github.com/workflow-bolt/rounds/bench/internal/recovery"
)

// roles are what processes that a bench starts do.
var roles = []process.Role{process.VendorRole, process.WorkerRole, peer.Role, recovery.WorkerRole}

func main() {
	if code, ran := process.RunRole(context.Background(), roles...); ran {
		os.Exit(code)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
