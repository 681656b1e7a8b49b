package tebratest

import (
	"fmt"
	"maps"
	"strings"
)

// The oddities of practices. OddNoPracticeNumber and OddPracticeName concern one row in a hundred,
// OddNoNextKey the pages of patients, and the others all responses.
const (
	OddNoPracticeNumber Oddity = "no-practice-number"
	OddForeignRow       Oddity = "foreign-row"
	OddUnknownPractice  Oddity = "unknown-practice"
	OddNameSubstring    Oddity = "name-substring"
	OddNoAuthorizations Oddity = "no-authorizations"
	OddNoNextKey        Oddity = "no-next-key"
	OddPracticeName     Oddity = "practice-name"
)

var practiceOddities = []oddity{
	{
		OddityInfo: OddityInfo{OddNoPracticeNumber, "PracticeID is left out, PracticeName is not"},
		row:        inPlace(func(r record) { delete(r, "PracticeID") }),
	},
	{OddityInfo: OddityInfo{OddForeignRow, "each list, and each day of a schedule, has a row of another practice of the account"}},
	{OddityInfo: OddityInfo{OddUnknownPractice, "each list, and each day of a schedule, has a row of a practice that GetPractices does not list"}},
	{OddityInfo: OddityInfo{OddNameSubstring, "a filter by PracticeName selects every practice whose name contains it"}},
	{OddityInfo: OddityInfo{OddNoAuthorizations, "SecurityResponse has no PracticesAuthorized"}},
	{
		OddityInfo: OddityInfo{OddPracticeName, "PracticeName contains a vertical tab, as &#xB;, which XML 1.0 forbids"},
		row:        inPlace(func(r record) { appendText(r, "PracticeName", "&#xB;") }),
	},
	{OddityInfo: OddityInfo{OddNoNextKey, "no page of GetAllPatients has the key of the next one"}},
}

// Access is what an account's login can see of a practice. The zero Access is all of it. A practice
// with any restriction has empty lists.
type Access struct {
	Unlisted     bool `json:"unlisted"`     // GetPractices does not list it
	Unauthorized bool `json:"unauthorized"` // PracticesAuthorized lacks it
	Refused      bool `json:"refused"`      // its lists are refused, not empty
}

func (a Access) restricted() bool { return a != Access{} }

// Rename gives the practice another name. Lists for the old name are empty from now on.
func (c *Clinic) Rename(name string) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.practice.Name = name
}

// SetAccess replaces what the account's login can see of the practice.
func (c *Clinic) SetAccess(a Access) {
	c.server.mu.Lock()
	defer c.server.mu.Unlock()
	c.access = a
}

// authorized returns the numbers in PracticesAuthorized; nil if the responses have none. The caller
// holds the server's lock.
func (s *Server) authorized(a *account) []string {
	if a == nil || s.isOdd(OddNoAuthorizations) {
		return nil
	}
	ids := []string{}
	for _, c := range a.clinics {
		if !c.access.Unauthorized {
			ids = append(ids, c.practiceID())
		}
	}
	return ids
}

// clinics returns the account's clinics that match a filter by name and number; either may be
// empty. Clinics with restricted access do not match.
func (h *handler) clinics(name, id string) []*Clinic {
	var all []*Clinic
	for _, c := range h.account.clinics {
		if h.matchesName(name, c) && equalsFilter(id, c.practiceID()) && !c.access.restricted() {
			all = append(all, c)
		}
	}
	return all
}

// matchesName reports whether a filter by name selects a clinic. Whether the vendor compares whole
// names is unknown.
func (h *handler) matchesName(name string, c *Clinic) bool {
	if h.isOdd(OddNameSubstring) {
		return containsFilter(name, c.practice.Name)
	}
	return equalsFilter(name, c.practice.Name)
}

// refuses reports whether a call names a practice that the login may not read.
func (h *handler) refuses() bool {
	filter, _ := h.in.object("Filter")
	name, id := filter.text("PracticeName"), filter.text("PracticeID")
	for _, c := range h.account.clinics {
		if c.access.Refused && (name != "" && strings.EqualFold(name, c.practice.Name) || id == c.practiceID()) {
			return true
		}
	}
	return false
}

// listedClinics returns the account's clinics that GetPractices lists. Like the vendor's, the list
// has what the user may access; whether it has more is unknown.
func (h *handler) listedClinics(name, id string) []*Clinic {
	var all []*Clinic
	for _, c := range h.account.clinics {
		if h.matchesName(name, c) && equalsFilter(id, c.practiceID()) && !c.access.Unlisted {
			all = append(all, c)
		}
	}
	return all
}

// foreignRows adds rows of other practices to a list that has rows, if these oddities are switched
// on. They are like the list's first row, or like the first one of each day.
func (h *handler) foreignRows(all rows) rows {
	foreign, unknown := h.isOdd(OddForeignRow), h.isOdd(OddUnknownPractice)
	if !foreign && !unknown {
		return all
	}
	return func(yield func(record) bool) {
		days := map[string]bool{}
		for r := range all {
			var more []record
			start, _ := r["StartDate"].(string)
			day, _, _ := strings.Cut(start, " ")
			if own := practiceOf(r); own != "" && !days[day] {
				days[day] = true
				if foreign {
					more = append(more, h.rowOfOther(r, own)...)
				}
				if unknown {
					more = append(more, rowOfPractice(r, "999999998", "Practice That Is Not Listed"))
				}
			}
			for _, row := range append(more, r) {
				if !yield(row) {
					return
				}
			}
		}
	}
}

// practiceOf returns the number of the practice that a row belongs to; "" if rows have none.
func practiceOf(r record) string {
	for _, member := range []string{"PracticeID", "PracticeId"} {
		if id, _ := r[member].(string); id != "" {
			return id
		}
	}
	return ""
}

// rowOfOther copies a row to another practice of the account, if there is one.
func (h *handler) rowOfOther(r record, own string) []record {
	for _, c := range h.account.clinics {
		if c.practiceID() != own {
			return []record{rowOfPractice(r, c.practiceID(), c.practice.Name)}
		}
	}
	return nil
}

// rowOfPractice copies a row to another practice. Its ID is longer than any that the simulator
// gives.
func rowOfPractice(r record, practice, name string) record {
	copied := maps.Clone(r)
	for _, member := range []string{"PracticeID", "PracticeId"} {
		if copied[member] != nil {
			copied[member] = practice
		}
	}
	id, _ := r["ID"].(string)
	copied["ID"], copied["PracticeName"] = fmt.Sprintf("1%09s%09s", practice, id), name
	return copied
}
