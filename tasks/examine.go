package tasks

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/queue"
)

// oldAfter is how long workers postpone a task for what may pass, such as an outage of the vendor.
const oldAfter = 24 * time.Hour

// Examiner examines dead tasks before a replay. It is safe for concurrent use.
type Examiner struct{ keys *phi.Keys }

// NewExaminer returns an Examiner. Without a keyset, which has the form of ClientOptions.Keys, it
// opens no payloads. It fails if the keyset is invalid.
func NewExaminer(keyset []byte) (*Examiner, error) {
	if len(keyset) == 0 {
		return &Examiner{}, nil
	}
	keys, err := phi.Parse(keyset)
	if err != nil {
		return nil, fmt.Errorf("new examiner: %w", err)
	}
	return &Examiner{keys: keys}, nil
}

// Examine returns why a task would die again if a worker of this release and keyset ran it now, and
// "" if nothing speaks against it. It knows nothing of what the worker's own work would meet, with
// one exception: a task that is older than a day does not outlive the next outage of the vendor.
func (e *Examiner) Examine(d Delivery) Code {
	i := slices.IndexFunc(kinds, func(k Kind) bool { return k.Name == d.Kind || slices.Contains(aliasesOf(k.Args), d.Kind) })
	h, headersErr := readHeaders(d.Headers)
	_, idErr := queue.ParseID(d.ID)
	switch {
	case idErr != nil:
		return codes.MalformedID
	case len(d.Payload) == 0:
		return codes.PayloadLost
	case i < 0:
		return codes.UnknownKind
	case headersErr != nil:
		return codes.MalformedHeaders
	case h.version > versionOf(kinds[i].Args):
		return codes.NewerVersion
	case len(d.Payload) > maxSealed:
		return codes.TooLarge
	case !phi.IsSealed(d.Payload):
		return codes.DoesNotOpen
	}
	if code := e.open(kinds[i], d, h); code != "" {
		return code
	}
	if kinds[i].Calls > 0 && time.Since(h.enqueuedAt) > oldAfter {
		return codes.TooOld
	}
	return ""
}

// open returns what is wrong with the payload or the arguments in it.
func (e *Examiner) open(k Kind, d Delivery, h headers) Code {
	if e.keys == nil {
		return ""
	}
	plain, err := e.keys.For(h.tenant.String()).Open(d.Payload, h.tenant.String(), d.Kind, d.ID)
	if err != nil {
		return cmp.Or(codes.Of(err), codes.DoesNotOpen)
	}
	args, err := k.Decode(plain)
	if err != nil {
		return codes.MalformedPayload
	}
	if _, err := optionsOf(args); err != nil || validate(args) != nil {
		return codes.InvalidArguments
	}
	return ""
}
