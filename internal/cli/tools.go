package cli

import (
	"context"
	"time"

	"github.com/workflow-bolt/rounds/internal/app"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/lifecycle"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// closeLimit bounds closing what a command opened, also after the command's own time is up.
const closeLimit = 3 * time.Second

// withTools opens queue, cache and ledger for one command and closes them after it.
func (e *env) withTools(ctx context.Context, use func(*app.Tools) error) error {
	c, err := config.LoadScheduler(e.getenv) // operators' commands need what the scheduler needs, and no endpoint
	if err != nil {
		return err
	}
	t, err := app.OpenTools(ctx, app.ToolsOptions{Config: c, Version: lifecycle.ReadBuild().Version, Logger: e.log()})
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLimit)
		defer cancel()
		if err := t.Close(ctx); err != nil {
			e.printf("closing: %s", err) // the command's work is done: its own result counts
		}
	}()
	return use(t)
}

// parseTenant reads a --tenant flag.
func parseTenant(s string) (tenant.ID, error) {
	if s == "" {
		return "", usage("--tenant is missing")
	}
	id, err := tenant.Parse(s)
	if err != nil {
		return "", usage("--tenant is not a tenant's name: 1 to 40 of a-z, 0-9 and '-'")
	}
	return id, nil
}

func unknownTenant(id tenant.ID, cause error) *failure {
	return &failure{
		Exit: exitNotFound, Code: "TENANT_NOT_FOUND", What: "there is no tenant " + id.String(), cause: cause,
		Means: "the ledger does not know it",
		Try:   []string{"add it to the file of ROUNDS_TENANTS and restart the scheduler"},
	}
}
