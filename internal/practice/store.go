package practice

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/events"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// The classes of what is cached here. A board stays valid until something it shows changes; how old its data is, the
// day's roster tells, which is why the roster alone grows old within minutes.
var (
	visitClass     = &cache.Class{Name: "appointment", Schema: 1, Soft: 72 * time.Hour, Hard: 72 * time.Hour, Lease: 10 * time.Second}
	patientClass   = &cache.Class{Name: "patient", Schema: 1, Soft: 24 * time.Hour, Hard: cache.MaxHard, Negative: 10 * time.Minute, Lease: 10 * time.Second}
	directoryClass = &cache.Class{Name: "directory", Schema: 1, Soft: 36 * time.Hour, Hard: cache.MaxHard, Lease: 10 * time.Second}
	dayClass       = &cache.Class{Name: "day", Schema: 1, Soft: 5 * time.Minute, Hard: 72 * time.Hour, Lease: 10 * time.Second}
	boardClass     = &cache.Class{Name: "day-board", Schema: 1, Soft: 72 * time.Hour, Hard: 72 * time.Hour, Lease: 5 * time.Second}
)

// ErrCold means that the vendor was never asked about the day or the patient, or that what it said has expired.
var ErrCold = errors.New("practice: nothing is known of this yet")

// Store reads and writes documents and views of all tenants in the cache. It never calls the vendor. It is safe for
// concurrent use.
type Store struct {
	cache *cache.Cache
	keys  *phi.Keys
}

// NewStore returns a store over the cache.
func NewStore(c *cache.Cache, k *phi.Keys) *Store { return &Store{cache: c, keys: k} }

// Names returns the names of the tenant's records.
func (s *Store) Names(t tenant.ID) Names { return NewNames(s.keys.For(t.String())) }

// Digest is a keyed digest of what a reader is shown: the same as long as the content is, whenever it was confirmed and by
// whichever process it was built, and telling nothing of it. It serves as a validator; what of a read must count (Stale,
// say) goes into content beside the view, and what must not (AsOf) stays out.
func (s *Store) Digest(t tenant.ID, content any) (phi.Ref, error) {
	ref, err := Hash(s.keys.For(t.String()), content)
	if err != nil {
		return "", fmt.Errorf("digest content: %w", err)
	}
	return ref, nil
}

// Begin draws the stamp under which an answer of the vendor may be cached. It must be drawn before the vendor is asked:
// whatever is invalidated while the answer is on its way is newer than the stamp, and the answer is refused.
func (s *Store) Begin(ctx context.Context, t tenant.ID) (cache.Grant, error) {
	return s.cache.Begin(ctx, t)
}

// BoardRead is a board and what is known about how good it is.
type BoardRead struct {
	Board Board
	// AsOf is when the vendor last confirmed the day.
	AsOf time.Time
	// Hit says that the board lay ready in the cache. Otherwise it was put together from cached documents just now.
	Hit bool
	// Stale says that something on the board was invalidated and the vendor has not been asked since.
	Stale bool
	// Missing counts visits of the day whose documents were not in the cache; they are not on the board.
	Missing int
	// Unknown counts rows whose patient's record is not known (yet).
	Unknown int
}

// Board returns the day board from the cache, or ErrCold. Whatever is missing besides the day itself makes the board
// poorer and never an error.
func (s *Store) Board(ctx context.Context, t tenant.ID, practice string, d Date) (BoardRead, error) {
	n := s.Names(t)
	keys := []cache.Key{s.boardKey(t, n, practice, d), {Tenant: t, Class: dayClass, ID: n.Day(practice, d)}}
	got, err := s.cache.PeekMany(ctx, keys)
	if err != nil {
		return BoardRead{}, fmt.Errorf("read board: %w", err)
	}
	board, day := got[0], got[1]
	telemetry.CacheRead(ctx, boardClass.Name, board.State.String())
	if day.State == cache.Miss || day.Negative {
		return BoardRead{}, ErrCold
	}
	telemetry.DataRead(ctx, boardClass.Name, day.Age)
	r := BoardRead{AsOf: day.Filled}
	if board.State == cache.Fresh && phi.Unmarshal(board.Value, &r.Board) == nil {
		r.Hit = true
		r.count()
		return r, nil
	}
	return s.build(ctx, t, practice, d)
}

func (r *BoardRead) count() {
	for _, row := range r.Board.Rows {
		if !row.Known {
			r.Unknown++
		}
	}
}

func (s *Store) boardKey(t tenant.ID, n Names, practice string, d Date) cache.Key {
	return cache.Key{Tenant: t, Class: boardClass, ID: n.Board(practice, d)}
}

// assemble builds a board from documents and puts it into the cache if all of them are valid. The stamp is drawn before
// the first document is read, so a change in between refuses the board rather than hiding in it.
func (s *Store) assemble(ctx context.Context, t tenant.ID, practice string, d Date) (BoardRead, error) {
	n := s.Names(t)
	key := s.boardKey(t, n, practice, d)
	grant, err := s.cache.Begin(ctx, t)
	if err != nil {
		return BoardRead{}, fmt.Errorf("begin board: %w", err)
	}
	dayEntry, err := s.cache.Peek(ctx, cache.Key{Tenant: t, Class: dayClass, ID: n.Day(practice, d)})
	if err != nil {
		return BoardRead{}, fmt.Errorf("read day: %w", err)
	}
	var day Day
	if dayEntry.State == cache.Miss || phi.Unmarshal(dayEntry.Value, &day) != nil {
		return BoardRead{}, ErrCold
	}
	r := BoardRead{AsOf: dayEntry.Filled, Stale: !valid(dayEntry)}
	visits, err := s.visits(ctx, t, day, &r)
	if err != nil {
		return BoardRead{}, err
	}
	patients, err := s.patients(ctx, t, visits, &r)
	if err != nil {
		return BoardRead{}, err
	}
	dir, err := s.directory(ctx, t, practice, &r)
	if err != nil {
		return BoardRead{}, err
	}
	r.Board = BuildBoard(practice, d, visits, patients, dir)
	r.count()
	if r.Stale || r.Missing > 0 {
		return r, nil
	}
	data, err := phi.Marshal(r.Board)
	if err != nil {
		return BoardRead{}, fmt.Errorf("encode board: %w", err)
	}
	value := cache.Value{Bytes: data, Tags: []cache.Tag{
		cache.TagOf(n.Day(practice, d)), cache.TagOf(n.Patients()), cache.TagOf(n.Directory(practice)),
		cache.TagOf(n.Practice(practice)),
	}}
	// A refusal means that something changed meanwhile; this reader may use the board once, the next builds anew.
	if _, err := s.fillPart(ctx, grant, []cache.Item{{Key: key, Value: value}}); err != nil {
		return BoardRead{}, fmt.Errorf("fill board: %w", err)
	}
	return r, nil
}

// valid says whether an entry may be built upon.
func valid(e cache.Entry) bool { return e.State == cache.Fresh || e.State == cache.Soft }

// visits returns the day's visits that are in the cache, and tells r what is missing or stale. One that has moved to
// another day is left out: the roster is about to lose it.
func (s *Store) visits(ctx context.Context, t tenant.ID, day Day, r *BoardRead) ([]Appointment, error) {
	n := s.Names(t)
	keys := make([]cache.Key, len(day.Visits))
	for i, id := range day.Visits {
		keys[i] = cache.Key{Tenant: t, Class: visitClass, ID: n.Appointment(id)}
	}
	got, err := s.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read visits: %w", err)
	}
	var out []Appointment
	for _, e := range got {
		var a Appointment
		if e.State == cache.Miss || e.Negative || phi.Unmarshal(e.Value, &a) != nil {
			r.Missing++
			continue
		}
		if a.Day != day.Date || a.Practice != day.Practice {
			r.Stale = true
			continue
		}
		r.Stale = r.Stale || !valid(e)
		out = append(out, a)
	}
	return out, nil
}

// patients returns the cached records of those on the visits, by id, and tells r when one is stale. Old ones are better
// than none.
func (s *Store) patients(ctx context.Context, t tenant.ID, visits []Appointment, r *BoardRead) (map[phi.Text]Patient, error) {
	n := s.Names(t)
	seen := make(map[phi.Text]Patient, len(visits))
	var keys []cache.Key
	for _, a := range visits {
		if _, ok := seen[a.Patient]; a.Patient != "" && !ok {
			seen[a.Patient] = Patient{}
			keys = append(keys, cache.Key{Tenant: t, Class: patientClass, ID: n.Patient(a.Patient)})
		}
	}
	got, err := s.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read patients: %w", err)
	}
	clear(seen)
	for _, e := range got {
		var p Patient
		if e.State != cache.Miss && !e.Negative && phi.Unmarshal(e.Value, &p) == nil {
			seen[p.ID] = p
			r.Stale = r.Stale || !valid(e)
		}
	}
	return seen, nil
}

// directory returns the cached directory, nil without one, and tells r when it is stale.
func (s *Store) directory(ctx context.Context, t tenant.ID, practice string, r *BoardRead) (*Directory, error) {
	e, err := s.cache.Peek(ctx, cache.Key{Tenant: t, Class: directoryClass, ID: s.Names(t).Directory(practice)})
	if err != nil {
		return nil, fmt.Errorf("read directory: %w", err)
	}
	var d Directory
	if e.State == cache.Miss || e.Negative || phi.Unmarshal(e.Value, &d) != nil {
		return nil, nil //nolint:nilerr // unreadable is as good as absent: a board does without
	}
	r.Stale = r.Stale || !valid(e)
	return &d, nil
}

// PatientsToFetch returns, without repeats, the patients of a day whose records are not in the cache, or are there but no
// longer valid or fresh. One that the vendor says does not exist counts as known until that answer is old.
func (s *Store) PatientsToFetch(ctx context.Context, t tenant.ID, visits []Appointment) ([]phi.Text, error) {
	n := s.Names(t)
	var ids []phi.Text
	var keys []cache.Key
	seen := map[phi.Text]bool{"": true}
	for _, a := range visits {
		if !seen[a.Patient] {
			seen[a.Patient] = true
			ids = append(ids, a.Patient)
			keys = append(keys, cache.Key{Tenant: t, Class: patientClass, ID: n.Patient(a.Patient)})
		}
	}
	got, err := s.peekAll(ctx, keys)
	if err != nil {
		return nil, fmt.Errorf("read patients: %w", err)
	}
	var out []phi.Text
	for i, e := range got {
		if e.State != cache.Fresh {
			out = append(out, ids[i])
		}
	}
	return out, nil
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

// Invalidated says what Invalidate found out about a record, so that the caller can ask for it to be read anew.
type Invalidated struct {
	Practice string // "" when nobody knew
	Day      Date   // of an appointment; "" when nobody knew
}

// Invalidate makes every cached copy of the record, and everything built on it, invalid at once, and says so in the log.
// Facts that the caller does not know are taken from the record's shadow. r.Noun is one of appointment, patient,
// directory, practice.
func (s *Store) Invalidate(ctx context.Context, t tenant.ID, r Record, eventID string) (Invalidated, error) {
	n, seal := s.Names(t), s.keys.For(t.String())
	var self phi.Ref
	switch r.Noun {
	case NounAppointment:
		self = n.Appointment(r.ID)
		sh, err := readShadow[visitShadow](ctx, s.cache, seal, t, self)
		if err != nil {
			return Invalidated{}, err
		}
		if sh.known {
			r.Practice, r.Day = sh.facts.Practice, sh.facts.Day
		}
	case NounPatient:
		self = n.Patient(r.ID)
	case NounDirectory:
		self = n.Directory(r.Practice)
	case NounPractice:
		self = n.Practice(r.Practice)
	default:
		return Invalidated{}, fmt.Errorf("practice: a %s is not invalidated by itself", r.Noun)
	}
	body := events.Body{Kind: events.EntityInvalidated, Refs: []phi.Ref{self}}
	if r.Practice != "" {
		body.Practice = n.Practice(r.Practice)
	}
	_, err := s.invalidate(ctx, t, cache.Change{Tags: n.Cascade(r), Event: body, EventID: eventID})
	if err != nil {
		return Invalidated{}, fmt.Errorf("invalidate: %w", err)
	}
	return Invalidated{Practice: r.Practice, Day: r.Day}, nil
}
