package cli

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
)

// closeLimit bounds closing the stores, even after the command's time limit.
const closeLimit = 3 * time.Second

// withTools opens queue, cache and ledger for one command and closes them afterwards.
func (e *env) withTools(ctx context.Context, use func(*app.Tools) error) error {
	c, err := config.LoadScheduler(e.getenv) // the scheduler's settings, which need no endpoint
	if err != nil {
		return err
	}
	t, err := app.OpenTools(ctx, app.Process{Version: lifecycle.ReadBuild().Version, Logger: e.log()}, c.Base)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		if err := t.Close(ctx); err != nil {
			e.printf("close: %s", err) // the command has finished, and its result counts
		}
	}()
	return use(t)
}
