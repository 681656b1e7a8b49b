package flow

import (
	"context"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Budgets reads the budgets of the given tenants' operations, those that were used within a week.
// It changes nothing.
func (f *Flow) Budgets(ctx context.Context, ids ...tenant.ID) ([]budget.State, error) {
	var operations []budget.Operation
	for _, id := range ids {
		for _, op := range tebra.Operations() {
			operations = append(operations, budget.Operation{Tenant: id, Name: op.Name, Interval: op.Interval})
		}
	}
	return f.pace.States(ctx, operations...)
}
