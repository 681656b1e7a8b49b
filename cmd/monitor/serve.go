package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/monitor"
)

// grace is how long stopping may take: requests are short, and open pages are let go first.
const grace = 5 * time.Second

// serve runs the monitor until ctx ends or one of its servers fails.
func serve(ctx context.Context, c config.Monitor, log *slog.Logger) error {
	o := monitor.Options{
		QueueURL: c.Queue.Reveal(), LedgerURL: c.LedgerURL.Reveal(), Production: c.Mode == config.Production,
		Logins: c.Logins, Logger: log,
	}
	var site *monitor.Monitor
	err := lifecycle.WaitFor(ctx, log, c.StartWait, "stores", func(ctx context.Context) (err error) {
		site, err = monitor.Open(ctx, o)
		return err
	})
	if err != nil {
		return err
	}
	p := process{stack: &lifecycle.Stack{Logger: log}, group: lifecycle.NewGroup(context.WithoutCancel(ctx))}
	p.stack.Push("stores", func(context.Context) error { return site.Close() })
	p.stack.Push("servers", p.group.Stop)
	err = lifecycle.Run(ctx, grace, lifecycle.Service{
		Failed: p.group.Failed(),
		Stop:   p.stack.Close,
		Start: func(ctx context.Context) error {
			health := &lifecycle.Health{}
			if c.Health != "" {
				s, err := lifecycle.Serve(ctx, c.Health, health.Handler())
				if _, err := p.watch("ROUNDS_HEALTH_ADDR", s, err); err != nil {
					return err
				}
			}
			s, err := lifecycle.ServeHTTP(ctx, c.Addr, siteServer(site.Handler()))
			addr, err := p.watch("ROUNDS_MONITOR_ADDR", s, err)
			if err != nil {
				return err
			}
			p.stack.Push("readiness", func(context.Context) error { health.Drain(); site.Drain(); return nil })
			health.Started()
			log.InfoContext(ctx, "monitor serves", "addr", addr)
			return nil
		},
	})
	// What did not start, because it could not or was told to stop before, is closed all the same.
	return errors.Join(err, p.stack.Close(context.WithoutCancel(ctx)))
}

// siteServer has room for what a page needs, unlike a server of probes: asynqmon's script is two megabytes, and an action
// on many tasks takes up to monitor.ActLimit. Open pages set their own limits.
func siteServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: monitor.ActLimit + 30*time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // it would quote what strangers send
	}
}

// process is what the monitor's servers have in common.
type process struct {
	stack *lifecycle.Stack
	group *lifecycle.Group
}

// watch stops the server, which was started where the named variable says, with the process, and returns the address it
// got. A server that fails ends the process.
func (p process) watch(variable string, s *lifecycle.Server, err error) (string, error) {
	if err != nil {
		return "", fmt.Errorf("%s cannot be listened on: %w", variable, err)
	}
	p.stack.Push(variable, s.Stop)
	return s.Addr(), p.group.Go(variable, func(ctx context.Context) error {
		select {
		case err := <-s.Failed():
			return err
		case <-ctx.Done():
			return nil
		}
	})
}
