package budget

func (m *paceModel) first() int64   { return max(m.minMargin, m.vendor()*firstMille/1000) }
func (m *paceModel) spacing() int64 { return m.vendor() + m.gap() }

// vendor is the interval in use.
func (m *paceModel) vendor() int64 {
	if m.interval > 0 {
		return m.interval
	}
	return m.documented
}

func (m *paceModel) tooSmall() bool { return m.refused > 0 && m.now-m.refusedAt < modelDay }

func (m *paceModel) least() int64 {
	least := max(m.minMargin, m.vendor()*leastMille/1000)
	if m.tooSmall() {
		least = max(least, m.refused*5/4)
	}
	return min(least, max(m.vendor(), m.first()))
}

// gap is the margin in use: what is above the first margin fades within a day.
func (m *paceModel) gap() int64 {
	margin, first := m.margin, m.first()
	if margin <= 0 {
		margin = first
	}
	if margin > first {
		age := float64(max(0, m.now-m.learned))
		margin = first + int64(float64(margin-first)*max(0, 1-age/float64(modelDay)))
	}
	return max(margin, m.least())
}

// learn counts a call, and takes less margin, or a shorter interval, after enough of them.
func (m *paceModel) learn(at int64) {
	margin := m.gap()
	if at-m.sent <= m.vendor()+margin+onTime.Microseconds() {
		m.clean, m.run = m.clean+1, m.run+1
	}
	enough := int64(20)
	if m.tooSmall() {
		enough = 100
	} else if margin >= m.first() {
		enough = 10
	}
	if less := max(m.least(), margin*3/5); m.clean >= enough && less < margin {
		m.margin, m.clean, margin = less, 0, less
	}
	if m.trial > 0 && m.run >= 20 { // the shorter interval holds
		m.trial, m.former, m.need = 0, 0, 0
	}
	if m.former > 0 && m.trial == 0 && m.run >= m.need {
		m.trial, m.kept, m.interval = m.vendor(), margin, m.former
		m.run, m.clean, m.margin = 0, 0, max(m.first(), m.least())
	}
}

func (m *paceModel) throttled(s Slot, named int64) []int64 {
	m.begin()
	defer m.end()
	if s.sent > m.learned {
		if named = min(named, maxInterval.Microseconds()); named > m.vendor() {
			m.lengthen(named)
		} else {
			tried := s.margin
			if tried <= 0 {
				tried = m.gap()
			}
			more := tried * 2
			if tried < m.first() {
				more = tried * 3 / 2
			}
			margin := m.gap()
			if !m.tooSmall() {
				m.refused = 0
			}
			m.refused, m.refusedAt = max(m.refused, tried), m.now
			m.margin = min(max(margin, more), max(m.vendor(), m.first()))
		}
		m.learned, m.clean = m.now, 0
	}
	margin := m.gap()
	m.blocked = max(m.blocked, m.now+m.vendor()+margin)
	return []int64{m.vendor(), margin, m.blocked}
}

// lengthen takes a longer interval, which ends the trial of a shorter one.
func (m *paceModel) lengthen(named int64) {
	kept := int64(0)
	switch {
	case m.trial > 0:
		if named == m.trial {
			kept = m.kept
		}
		m.trial, m.need = 0, min(m.need*8, 100_000)
	case m.run >= 8:
		m.former, m.need = m.vendor(), 2000
	default:
		m.former, m.need = m.vendor(), 30
	}
	m.interval, m.run = named, 0
	if kept == 0 {
		kept = m.first()
	}
	m.margin = max(kept, m.least())
}
