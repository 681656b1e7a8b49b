package practice

import (
	"context"

	"github.com/workflow-bolt/rounds/internal/cache"
	"github.com/workflow-bolt/rounds/internal/civil"
	"github.com/workflow-bolt/rounds/internal/phi"
	"github.com/workflow-bolt/rounds/internal/tenant"
)

// BoardRead is a board and its freshness.
type BoardRead struct {
	Board Board
	Freshness
}

// Board returns the day board, or ErrCold. Missing parts other than the day itself are counted and
// are no error.
func (s *Store) Board(ctx context.Context, t tenant.ID, practice string, d civil.Date) (BoardRead, error) {
	sc := s.scope(t, practice)
	board, fresh, err := read(ctx, sc, boardView{sc, d})
	return BoardRead{board, fresh}, err
}

type boardView struct {
	scope
	date civil.Date
}

func (v boardView) keys() (own cache.Key, parts []cache.Key) {
	return v.key(boardClass, v.names.Board(v.practice, v.date)), []cache.Key{v.day(v.date)}
}

func (boardView) assess(_ context.Context, parts []cache.Entry) (assessment, error) {
	return assessDay(parts[0])
}

func (boardView) restore(ctx context.Context, cached []byte, _ []cache.Entry, a *assessment) (Board, bool) {
	var board Board
	if !restored(ctx, boardClass.Name, cached, &board) {
		return Board{}, false
	}
	a.Unknown = withoutRecord(board.Rows)
	return board, true
}

func (v boardView) build(ctx context.Context, parts []cache.Entry, a *assessment) (Board, any, []phi.Ref, error) {
	day, ok := decode[Day](ctx, parts[0])
	if !ok {
		return Board{}, nil, nil, ErrCold
	}
	visits, patients, info, err := v.ofDay(ctx, a, day)
	if err != nil {
		return Board{}, nil, nil, err
	}
	board := buildBoard(v.practice, v.date, visits, patients, info)
	board.Incomplete = day.Incomplete
	a.rows, a.Unknown = len(board.Rows), withoutRecord(board.Rows)
	n := v.names
	return board, board, []phi.Ref{
		n.Board(v.practice, v.date), n.Day(v.practice, v.date), n.Patients(), n.Directory(v.practice), n.Locations(v.practice),
		n.Practice(v.practice),
	}, nil
}

// assessDay is how fresh a view of one day is.
func assessDay(day cache.Entry) (assessment, error) {
	if !exists(day) {
		return assessment{}, ErrCold
	}
	return assessment{Freshness: Freshness{AsOf: day.AsOf, Stale: !valid(day)}, age: day.Age}, nil
}

// withoutRecord counts the rows whose patient's record is not known.
func withoutRecord(rows []BoardRow) int {
	n := 0
	for _, row := range rows {
		if !row.Known {
			n++
		}
	}
	return n
}
