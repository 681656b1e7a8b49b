package practice

import (
	"context"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/codes"
	"github.com/workflow-bolt/rounds/internal/outage"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// viewLease is twice what a slow build of a view takes. While a process that stalled holds the
// lease, the reads of other processes wait.
const viewLease = 500 * time.Millisecond

// The classes of documents and views. A view stays valid until something it shows changes. The age
// of its data is the age of its days' rosters, so only rosters become Soft within minutes. A card
// is read for one day, the day it begins on.
var (
	visitClass                = &cache.Class{Name: "appointment", Schema: 2, Soft: 72 * time.Hour, Hard: 72 * time.Hour, Lease: 10 * time.Second}
	patientClass              = &cache.Class{Name: "patient", Schema: 2, Soft: 24 * time.Hour, Hard: cache.MaxHard, Negative: 10 * time.Minute, Lease: 10 * time.Second}
	mergedClass               = &cache.Class{Name: "merged", Schema: 1, Hard: 24 * time.Hour, Lease: 10 * time.Second}
	directoryClass            = &cache.Class{Name: "directory", Schema: 1, Soft: 36 * time.Hour, Hard: cache.MaxHard, Lease: 10 * time.Second}
	locationsClass            = &cache.Class{Name: "locations", Schema: 1, Soft: 36 * time.Hour, Hard: cache.MaxHard, Lease: 10 * time.Second}
	practicesClass            = &cache.Class{Name: "practices", Schema: 1, Soft: 36 * time.Hour, Hard: cache.MaxHard, Lease: 10 * time.Second}
	patientsConfirmationClass = &cache.Class{Name: "roll", Schema: 1, Soft: 24 * time.Hour, Hard: cache.MaxHard, Lease: 10 * time.Second}
	identityClass             = &cache.Class{Name: "identity", Schema: 1, Hard: cache.MaxHard, Lease: 10 * time.Second}
	doubtClass                = &cache.Class{Name: "doubt", Schema: 1, Hard: 24 * time.Hour, Lease: 10 * time.Second}
	dayClass                  = &cache.Class{Name: "day", Schema: 2, Soft: 5 * time.Minute, Hard: 72 * time.Hour, Lease: 10 * time.Second}
	boardClass                = &cache.Class{Name: "day-board", Schema: 1, Soft: 72 * time.Hour, Hard: 72 * time.Hour, Lease: viewLease}
	providerClass             = &cache.Class{Name: "provider-day", Schema: 1, Soft: 72 * time.Hour, Hard: 72 * time.Hour, Lease: viewLease}
	cardClass                 = &cache.Class{Name: "patient-card", Schema: 2, Soft: 24 * time.Hour, Hard: 24 * time.Hour, Lease: viewLease}
)

// Store reads and writes documents and views of all tenants in the cache. It never calls the
// vendor. It is safe for concurrent use.
type Store struct {
	cache *cache.Cache
	keys  *phi.Keys
	doubt func(tenant.ID) codes.Code
	met   func(context.Context, codes.Code)
}

// NewStore returns a store over the cache.
func NewStore(c *cache.Cache, k *phi.Keys) *Store { return &Store{cache: c, keys: k} }

// DoubtedBy sets a function that returns why nothing that the cache holds of a tenant may be called
// fresh at the moment, or "". Views are stale for that reason then. met is called before with the
// code of each outage that the reading of a view meets. Both must be set before the first read.
func (s *Store) DoubtedBy(doubt func(tenant.ID) codes.Code, met func(context.Context, codes.Code)) {
	s.doubt, s.met = doubt, met
}

// meet reports an outage. A cache that only took longer than the caller waits may be there.
func (s *Store) meet(ctx context.Context, err error) {
	if o := outage.Of(err); s.met != nil && o != nil && !o.Slow {
		s.met(ctx, o.Code())
	}
}

func (s *Store) doubted(t tenant.ID) codes.Code {
	if s.doubt == nil {
		return ""
	}
	return s.doubt(t)
}

// Names returns the names of the tenant's records.
func (s *Store) Names(t tenant.ID) Names { return NewNames(s.keys.For(t.String())) }

// Begin draws the stamp under which an answer of the vendor may be cached. It must be called before
// the vendor is asked: everything that is invalidated while the answer is on its way is newer than
// the stamp, so that the cache refuses the outdated part of the answer.
func (s *Store) Begin(ctx context.Context, t tenant.ID) (cache.Grant, error) {
	return s.cache.Begin(ctx, t)
}

// documentClasses are the classes of documents, by noun.
var documentClasses = map[Noun]*cache.Class{
	NounAppointment: visitClass, NounPatient: patientClass, NounDirectory: directoryClass, NounLocations: locationsClass,
	NounPractices: practicesClass, NounPatientsConfirmation: patientsConfirmationClass, NounDay: dayClass, NounIdentity: identityClass,
	NounDoubt: doubtClass,
}

// peekAll is PeekMany for any number of keys.
func (s *Store) peekAll(ctx context.Context, keys []cache.Key) ([]cache.Entry, error) {
	out := make([]cache.Entry, 0, len(keys))
	for part := range slices.Chunk(keys, cache.MaxPeek) {
		got, err := s.cache.PeekMany(ctx, part)
		if err != nil {
			return nil, err
		}
		out = append(out, got...)
	}
	return out, nil
}
