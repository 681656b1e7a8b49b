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

// grace is how long stopping may take: requests are short, and open streams are ended first.
const grace = 5 * time.Second

// process is the monitor with its servers.
type process struct {
	config config.Monitor
	log    *slog.Logger
	site   *monitor.Monitor
	health lifecycle.Health
	stack  *lifecycle.Stack
	group  *lifecycle.Group
}

// open waits for the stores and opens the site. It serves nothing before Run.
func open(ctx context.Context, c config.Monitor, log *slog.Logger) (*process, error) {
	p := &process{
		config: c, log: log,
		stack: &lifecycle.Stack{Logger: log}, group: lifecycle.NewGroup(context.WithoutCancel(ctx)),
	}
	err := lifecycle.WaitFor(ctx, log, c.StartWait, "stores", func(ctx context.Context) (err error) {
		p.site, err = monitor.Open(ctx, monitor.Options{
			QueueURL: c.Queue.Reveal(), LedgerURL: c.LedgerURL.Reveal(), Production: c.Mode == config.Production,
			Logins: c.Logins, Logger: log,
		})
		return err
	})
	if err != nil {
		return nil, err
	}
	p.stack.Push("stores", func(context.Context) error { return p.site.Close() })
	p.stack.Push("servers", p.group.Stop)
	return p, nil
}

// Run serves until ctx ends or one of the servers fails, and closes everything.
func (p *process) Run(ctx context.Context) error {
	err := lifecycle.Run(ctx, grace, lifecycle.Service{Start: p.start, Stop: p.stack.Close, Failed: p.group.Failed()})
	// Close also what did not start, because the start failed or ctx had ended before it.
	return errors.Join(err, p.stack.Close(context.WithoutCancel(ctx)))
}

func (p *process) start(ctx context.Context) error {
	if p.config.Health != "" {
		s, err := lifecycle.Serve(ctx, p.config.Health, p.health.Handler())
		if err := p.watch("ROUNDS_HEALTH_ADDR", s, err); err != nil {
			return err
		}
	}
	s, err := lifecycle.ServeHTTP(ctx, p.config.Addr, siteServer(p.site.Handler()))
	if err := p.watch("ROUNDS_MONITOR_ADDR", s, err); err != nil {
		return err
	}
	p.stack.Push("readiness", func(context.Context) error { p.health.Drain(); p.site.Drain(); return nil })
	p.health.Started()
	p.log.InfoContext(ctx, "monitor ready", "addr", s.Addr())
	return nil
}

// watch stops the server with the process and ends the process when the server fails. The variable
// is the one that sets the server's address; err is the error of starting it.
func (p *process) watch(variable string, s *lifecycle.Server, err error) error {
	if err != nil {
		return fmt.Errorf("%s cannot be listened on: %w", variable, err)
	}
	p.stack.Push(variable, s.Stop)
	return s.Watch(p.group, variable)
}

// siteServer has higher limits than a server of probes: asynqmon's script is two megabytes, and an
// action on many tasks takes up to monitor.ActLimit. Streams set their own limits.
func siteServer(h http.Handler) *http.Server {
	return &http.Server{
		Handler: h, MaxHeaderBytes: 16 << 10,
		ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second,
		WriteTimeout: monitor.ActLimit + 30*time.Second, IdleTimeout: 2 * time.Minute,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug), // it would quote what clients send
	}
}
