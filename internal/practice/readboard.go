package practice

import (
	"context"
	"fmt"
	"time"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/telemetry"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

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
func (s *Store) Board(ctx context.Context, t tenant.ID, practice string, d civil.Date) (BoardRead, error) {
	n := s.Names(t)
	got, err := s.cache.PeekMany(ctx, []cache.Key{
		{Tenant: t, Class: boardClass, ID: n.Board(practice, d)}, {Tenant: t, Class: dayClass, ID: n.Day(practice, d)},
	})
	if err != nil {
		return BoardRead{}, fmt.Errorf("read board: %w", err)
	}
	board, day := got[0], got[1]
	telemetry.CacheRead(ctx, boardClass.Name, board.State.String())
	if day.State == cache.Miss || day.Negative {
		return BoardRead{}, ErrCold
	}
	telemetry.DataRead(ctx, boardClass.Name, day.Age)
	r := BoardRead{AsOf: day.AsOf}
	if board.State == cache.Fresh && phi.Unmarshal(board.Value, &r.Board) == nil {
		r.Hit, r.Unknown = true, unknown(r.Board.Rows)
		return r, nil
	}
	err = building(ctx, t, boardClass, func(ctx context.Context) (rows int, err error) {
		r, err = s.buildBoard(ctx, t, practice, d)
		return len(r.Board.Rows), err
	})
	return r, err
}

func (s *Store) buildBoard(ctx context.Context, t tenant.ID, practice string, d civil.Date) (BoardRead, error) {
	b, err := s.builder(ctx, t, practice)
	if err != nil {
		return BoardRead{}, err
	}
	e, err := s.cache.Peek(ctx, b.key(dayClass, b.names.Day(practice, d)))
	if err != nil {
		return BoardRead{}, fmt.Errorf("read day: %w", err)
	}
	day, ok := b.roster(e)
	if !ok {
		return BoardRead{}, ErrCold
	}
	visits, err := b.visits(ctx, day)
	if err != nil {
		return BoardRead{}, err
	}
	patients, err := b.patients(ctx, visits)
	if err != nil {
		return BoardRead{}, err
	}
	house, err := b.house(ctx)
	if err != nil {
		return BoardRead{}, err
	}
	view := BuildBoard(practice, d, visits, patients, house)
	name := b.names.Board(practice, d)
	err = b.keep(ctx, b.key(boardClass, name), view, name,
		b.names.Day(practice, d), b.names.Patients(), b.names.Directory(practice), b.names.Locations(practice))
	if err != nil {
		return BoardRead{}, err
	}
	return BoardRead{
		Board: view, AsOf: e.AsOf, Stale: b.stale, Missing: b.missing, Unknown: unknown(view.Rows),
	}, nil
}
