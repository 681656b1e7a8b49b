package cli

import (
	"context"
	"slices"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/config"
	"github.com/workflow-bolt/rounds/internal/ledger"
	"github.com/workflow-bolt/rounds/tasks"
)

// maxExamples is how many task IDs of a reason are listed.
const maxExamples = 3

// fateDoc counts the selected tasks that would die again for one reason.
type fateDoc struct {
	Code        codes.Code `json:"code"`
	Means       string     `json:"means,omitempty"`
	DeadLetters int        `json:"letters"`
	Examples    []string   `json:"examples"`
}

// prepareDryRun makes the replay examine what it selects.
func (r *replay) prepareDryRun() error {
	keyset, err := config.LoadKeyset(r.env.getenv)
	if err != nil {
		return err
	}
	examiner, err := tasks.NewExaminer([]byte(keyset.Reveal()))
	if err != nil {
		return &failure{
			Exit: exitUsage, Code: "CONFIG", What: "ROUNDS_KEYS: the file is not a keyset", cause: err,
			Means: "nothing was changed", Try: []string{"rounds config validate worker", "unset ROUNDS_KEYS to leave payloads sealed"},
		}
	}
	r.doc.Opened = keyset != ""
	r.examine = func(ctx context.Context, l ledger.DeadLetter) error {
		code := examiner.Examine(tasks.Delivery{ID: l.TaskID, Lane: l.Lane, Kind: l.Kind, Payload: l.Payload, Headers: l.Headers})
		switch {
		case code == codes.PayloadLost:
			now, err := taskState(ctx, r.stores, l.TaskID)
			if err != nil || now != taskGone {
				return err // the queue has the payload
			}
		case code == "" && keyset == "" && slices.Contains([]codes.Code{codes.MalformedPayload, codes.InvalidArguments, codes.DoesNotOpen}, codes.Code(l.Code)):
			code = codes.Code(l.Code) // another attempt reads the same payload
		}
		if code != "" {
			r.doc.dieAgain(code, l.TaskID)
		}
		return nil
	}
	return nil
}

func (d *replayDoc) dieAgain(code codes.Code, id string) {
	i := slices.IndexFunc(d.DieAgain, func(f fateDoc) bool { return f.Code == code })
	if i < 0 {
		i = len(d.DieAgain)
		d.DieAgain = append(d.DieAgain, fateDoc{Code: code, Means: code.Meaning()})
	}
	f := &d.DieAgain[i]
	f.DeadLetters++
	if len(f.Examples) < maxExamples {
		f.Examples = append(f.Examples, redactTask(id))
	}
}
