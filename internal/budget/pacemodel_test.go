package budget

import (
	"slices"
	"time"
)

// paceModel is the budget of one operation, kept simply. Its methods return what the scripts do. It
// has all moves of slots since the beginning, where the scripts add up those that they can.
type paceModel struct {
	documented, minMargin, maxWait int64 // the options

	now    int64  // the server's clock
	server string // the server's identity

	state
}

// state is what a loss of the key loses.
type state struct {
	next, sent, blocked, seen   int64
	interval, former, trial     int64
	margin, kept, need          int64
	clean, run                  int64
	learned, refused, refusedAt int64
	known                       string // the server that has sent
	ahead                       []int64
	moves                       []move
	ownNext                     int64 // next as this release left it
}

// move is a late call that moved the slots behind its place, or all slots once it is folded in.
type move struct {
	place, by int64
	all       bool
}

const (
	modelLead   = int64(2 * Early / time.Microsecond)
	modelMinute = int64(time.Minute / time.Microsecond)
	modelDay    = int64(marginLife / time.Microsecond)
)

// begin is what each script does first.
func (m *paceModel) begin() {
	if back := m.seen - m.now; back > 0 {
		for _, at := range []*int64{&m.next, &m.ownNext, &m.sent, &m.blocked, &m.learned, &m.refusedAt} {
			if *at > 0 {
				*at = max(1, *at-back)
			}
		}
		for i := range m.ahead {
			m.ahead[i] -= back
		}
	}
	m.seen = m.now
	spacing := m.spacing()
	if m.next != m.ownNext { // an earlier release sends at the begin of its slot
		m.sent = max(m.sent, m.next-spacing)
	}
	far := m.now + modelMinute + spacing
	m.next, m.sent, m.blocked = min(m.next, far), min(m.sent, far), min(m.blocked, m.now+60*modelMinute)
	m.ahead = slices.DeleteFunc(m.ahead, func(at int64) bool { return 2*at < 2*m.now-spacing })
}

func (m *paceModel) end() { m.ownNext = m.next }

func (m *paceModel) restart() { m.sent, m.known = max(m.sent, m.now+modelLead), m.server }

// shift is by how much a slot at a place was moved.
func (m *paceModel) shift(place int64) (sum int64) {
	for _, v := range m.moves {
		if v.all || v.place < place {
			sum += v.by
		}
	}
	return sum
}

func (m *paceModel) total() (sum int64) {
	for _, v := range m.moves {
		sum += v.by
	}
	return sum
}

func (m *paceModel) push(place, late int64, all bool) {
	if late > 0 {
		late = min(late, m.spacing())
		m.moves = append(m.moves, move{place, late, all})
		m.next += late
	}
}

// fold ends the moves up to a place, and all but the last 32.
func (m *paceModel) fold(place int64) {
	waiting := 0
	for i := range slices.Backward(m.moves) {
		if m.moves[i].all {
			continue
		}
		m.moves[i].all = m.moves[i].place <= place || waiting >= 32
		waiting++
	}
}

func (m *paceModel) acquire(d Demand) []int64 {
	m.begin()
	defer m.end()
	step := m.spacing() * int64(max(d.Slowdown, 1))
	if m.sent == 0 {
		m.restart()
	}
	ready := max(m.now, m.blocked, m.sent+step)
	at, mark := max(ready, m.next), m.total()
	person := d.Interactive && len(m.ahead) < 16
	if person {
		at, mark = m.turn(ready, step), -1
	}
	longest := min(m.maxWait, d.Limit.Microseconds())
	if d.Ahead > 0 {
		longest = min(longest, int64(d.Ahead)*step+modelLead)
	}
	if at-m.now > longest {
		decision := Paced
		if m.blocked > max(m.next, m.now) {
			decision = Blocked
		}
		return []int64{int64(decision), at - m.now, 0, 0, 0, 0}
	}
	before := m.next
	m.next = at + step
	if person {
		m.ahead, m.next = append(m.ahead, at), max(before, at+step)
	}
	return []int64{int64(Granted), at - m.now, at, mark, before, m.next}
}

// turn is when the next person's slot is: behind the other people's, and after each third in a row
// one more spacing away if the background waits.
func (m *paceModel) turn(ready, step int64) int64 {
	n := len(m.ahead)
	if n == 0 {
		return ready
	}
	last := m.ahead[n-1]
	at, row := max(ready, last+step), 1
	for i := n - 1; i > 0 && 2*(m.ahead[i]-m.ahead[i-1]) <= 3*step; i-- {
		row++
	}
	if row%3 == 0 && m.next > at {
		at = max(at, min(last+2*step, m.next))
	}
	return at
}

func (m *paceModel) send(s Slot) []int64 {
	m.begin()
	defer m.end()
	interval, margin := m.vendor(), m.gap()
	step := (interval + margin) * int64(s.slowdown)
	if m.sent == 0 || m.known != m.server {
		m.restart()
	}
	person, place, due := s.mark < 0, s.reserved-s.mark, s.at
	if !person {
		due = max(due, place+m.shift(place))
	}
	due = min(due, max(m.next, m.now))
	at := max(m.now, m.sent+step, due, m.blocked)
	own := slices.Index(m.ahead, s.at)
	if !person {
		own = -1
		for _, other := range m.ahead {
			if 2*at > 2*other-step && at < other+step {
				at = other + step
			}
		}
		m.push(place, at-due, false)
	}
	if at-m.now > modelLead {
		if own >= 0 {
			m.ahead[own] = at
			slices.Sort(m.ahead)
		}
		decision := Paced
		if m.blocked > m.now {
			decision = Blocked
		}
		return []int64{int64(decision), at - m.now, at, 0, 0, 0, 0}
	}
	if own >= 0 {
		m.ahead = slices.Delete(m.ahead, own, own+1)
	}
	if !person {
		m.fold(place)
	}
	previous := m.sent
	m.next = max(m.next, at+step)
	m.learn(at)
	m.sent = at
	return []int64{int64(Granted), at - m.now, at, previous, margin, m.vendor(), m.gap()}
}

func (m *paceModel) renew(granted int64) []int64 {
	before := m.state
	before.ahead = slices.Clone(m.ahead)
	m.begin()
	if m.sent != granted || m.blocked > m.now {
		m.state = before
		return []int64{0}
	}
	if late := m.now - granted; late > 0 {
		margin := m.gap()
		m.push(0, late, true)
		if late > margin && margin < m.first() {
			m.margin, m.clean = min(m.first(), margin*3/2), 0
		}
		m.sent, m.clean, m.run = m.now, max(0, m.clean-1), max(0, m.run-1)
		m.end()
		return []int64{m.now}
	}
	m.state = before
	return []int64{granted}
}

func (m *paceModel) refund(s Slot) []int64 {
	m.begin()
	defer m.end()
	moved := m.total() - s.mark
	if s.mark < 0 {
		moved = 0
		if i := slices.Index(m.ahead, s.at); i >= 0 {
			m.ahead = slices.Delete(m.ahead, i, i+1)
		}
	}
	returned := int64(0)
	if m.next == s.next+moved {
		m.next, returned = s.before+moved, 1
	}
	if s.sent > 0 && m.sent == s.sent {
		m.sent, m.clean, m.run = s.previous, max(0, m.clean-1), max(0, m.run-1)
	}
	return []int64{returned}
}

func (m *paceModel) block(wait int64) []int64 {
	m.begin()
	defer m.end()
	m.blocked = max(m.blocked, m.now+wait)
	return []int64{m.blocked}
}
