package ledger

import (
	"context"
	"errors"

	"github.com/workflow-bolt/rounds/internal/tenant"
)

// AdoptName records that the vendor has another name for a practice than it had before, and reports
// whether the ledger changed. If the name is no longer the one before, nothing changes: another
// caller has adopted a name, or the settings were applied. The settings keep their name, and a
// later ApplyTenants with the same one does not undo the adoption. Adopting the name of the
// settings ends it.
func (l *Ledger) AdoptName(ctx context.Context, id tenant.ID, practice, before, name string) (adopted bool, err error) {
	if err := errors.Join(checkTenant(id), checkName("practice's id", practice, maxCode),
		checkText("practice's name", before, maxCode), checkName("practice's name", name, maxCode)); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	adopted, err = changedRow(l.db.ExecContext(ctx, `UPDATE practices SET adopted = CASE WHEN name = $4 THEN '' ELSE $4 END
		WHERE tenant_id = $1 AND id = $2 AND CASE WHEN adopted = '' THEN name ELSE adopted END = $3 AND $3 <> $4`,
		string(id), practice, before, name))
	return adopted, dbError("adopt practice's name", err)
}
