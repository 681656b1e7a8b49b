package app

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/workflow-bolt/rounds/integrations/tebra/tebratest"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/queue"
	"github.com/workflow-bolt/rounds/internal/secret"
	"github.com/workflow-bolt/rounds/tasks"
)

// A tenant's backlog is scheduled for its places in the vendor's budget, and another tenant's only
// task does not wait for it.
func TestBacklogDelaysNoOtherTenant(t *testing.T) {
	t.Parallel()
	sys := build(t, func(c *tebratest.Config) {
		other := c.Accounts[0]
		other.CustomerKey, other.User = "key-of-another", "other@example.test"
		c.Accounts = append(c.Accounts, other)
	})
	other := sys.settings.Tenants[0]
	other.ID = "clinic-b"
	other.Credentials.CustomerKey, other.Credentials.User = secret.Value("key-of-another"), secret.Value("other@example.test")
	sys.settings.Tenants = append([]config.Tenant{sys.settings.Tenants[0]}, other)
	tools := sys.tools(t)
	var backlog []tasks.Args
	for i := range 300 {
		backlog = append(backlog, tasks.SyncPatient{Practice: "1", Patient: tasks.PatientID(strconv.Itoa(1 + i))})
	}
	if _, err := tools.Tasks.EnqueueMany(t.Context(), clinicA.String(), backlog); err != nil {
		t.Fatal(err)
	}
	sys.work(t)
	eventually(t, func() error {
		if sys.arrived.Load() == 0 {
			return errors.New("the vendor received no call")
		}
		return nil
	})
	began := time.Now()
	only, err := tools.Tasks.Enqueue(t.Context(), other.ID, tasks.SyncThrottles{})
	if err != nil {
		t.Fatal(err)
	}
	sys.ends(t, tools, only.ID, tasks.StateDone)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("another tenant's only task took %v", took)
	}
	lanes, err := queue.Stats(t.Context(), tools.Queue)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lanes {
		if l.Lane == queue.Sync && (l.Scheduled == 0 || l.Pending+l.Active > 100) {
			t.Errorf("of the backlog, %d tasks are scheduled, %d pending and %d running", l.Scheduled, l.Pending, l.Active)
		}
	}
}
