package flow

import (
	"cmp"
	"context"
	"slices"

	"github.com/workflow-bolt/rounds/integrations/tebra"
	"github.com/workflow-bolt/rounds/internal/budget"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// Budgets reads the budgets of the given tenants' operations, those that were called or booked
// within a week: blocked ones first, and then those that are booked furthest ahead. It changes
// nothing.
func (f *Flow) Budgets(ctx context.Context, ids ...tenant.ID) ([]budget.State, error) {
	var operations []budget.Operation
	for _, id := range ids {
		for _, op := range tebra.Operations() {
			operations = append(operations, budget.Operation{Tenant: id, Name: op.Name, Interval: op.Interval})
		}
	}
	found, err := f.pace.States(ctx, operations...)
	slices.SortFunc(found, func(a, b budget.State) int {
		return cmp.Or(cmp.Compare(b.Blocked, a.Blocked), cmp.Compare(b.Backlog, a.Backlog),
			cmp.Compare(a.Tenant, b.Tenant), cmp.Compare(a.Operation, b.Operation))
	})
	return found, err
}
