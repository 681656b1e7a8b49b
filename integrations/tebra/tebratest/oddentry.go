package tebratest

import (
	"cmp"
	"slices"
	"time"
)

// The oddities of entries. A day with oddFrom visits or more has each.
const (
	OddBlock     Oddity = "block-of-days"
	OddAllDay    Oddity = "all-day"
	OddOvernight Oddity = "overnight"
	OddSeries    Oddity = "series-rows"
	// OddOverlap concerns every list.
	OddOverlap Oddity = "overlap"
)

// Lengths of odd entries, in days.
const (
	blockDays  = 5
	seriesDays = 3
)

// Numbers of odd entries among those of a day. A day has at most 900 visits, and some deleted ones.
const (
	blockNumber = 990 + iota
	allDayNumber
	overnightNumber
)

// entryOddities are rows of the table of oddities.
var entryOddities = []oddity{
	{
		OddityInfo: OddityInfo{OddBlock, "every day, time of five days without a patient is blocked from that day on"},
		entries: func(c *Clinic, v *Visit) []*Visit {
			b := c.blocked(v, blockNumber)
			b.Start, b.End = at(v.Start, 0, 8), at(v.Start, blockDays-1, 17)
			return []*Visit{b}
		},
	},
	{
		OddityInfo: OddityInfo{OddAllDay, "every day has an entry without a patient that takes all day"},
		entries: func(c *Clinic, v *Visit) []*Visit {
			b := c.blocked(v, allDayNumber)
			b.Start, b.End, b.AllDay = at(v.Start, 0, 0), at(v.Start, 1, 0), true
			return []*Visit{b}
		},
	},
	{
		OddityInfo: OddityInfo{OddOvernight, "every day has a visit that ends on the next day"},
		entries: func(c *Clinic, v *Visit) []*Visit {
			night := *v
			night.ID = c.visitID(dayNumber(v.Start), overnightNumber)
			night.Start, night.End = at(v.Start, 0, 22), at(v.Start, 1, 2)
			return []*Visit{&night}
		},
	},
	{
		OddityInfo: OddityInfo{OddSeries, "a visit of every day has a row on each of the two days after it, with the same ID"},
		entries: func(_ *Clinic, v *Visit) []*Visit {
			var all []*Visit
			for i := 1; i < seriesDays; i++ {
				again := *v
				again.Start, again.End = v.Start.AddDate(0, 0, i), v.End.AddDate(0, 0, i)
				all = append(all, &again)
			}
			return all
		},
	},
	{
		OddityInfo: OddityInfo{OddOverlap, "lists select the entries that overlap the range, and not those that start in it"},
	},
}

// blocked returns time of the visit's provider that is blocked without a patient.
func (c *Clinic) blocked(v *Visit, number int) *Visit {
	return &Visit{
		ID: c.visitID(dayNumber(v.Start), number), Type: "O", ProviderID: v.ProviderID, Provider: v.Provider, Status: Scheduled,
		Notes: "Out of office", Created: v.Created, Modified: v.Created,
	}
}

// at returns an hour of the day that is a number of days after that of t.
func at(t time.Time, days, hour int) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day()+days, hour, 0, 0, 0, t.Location())
}

// oddEntries returns the odd entries that begin on a day or, of a series, are based on it. The
// caller holds the server's lock.
func (c *Clinic) oddEntries(day int) []*Visit {
	var all []*Visit
	for _, o := range c.server.odd {
		if o.entries == nil {
			continue
		}
		ids := c.visitIDs(day)
		if len(ids) < oddFrom {
			return nil
		}
		drawn := slices.MinFunc(ids, func(a, b string) int { return cmp.Compare(c.server.drawn(o.Name, a), c.server.drawn(o.Name, b)) })
		for _, v := range o.entries(c, c.visits[drawn]) {
			if c.visits[v.ID] == nil {
				c.visits[v.ID] = v
			}
			all = append(all, v)
		}
	}
	return all
}
