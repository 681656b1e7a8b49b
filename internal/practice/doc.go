// Package practice knows what a practice's data means: documents, views, what is built from what, and how a vendor row
// becomes one of ours.
//
// A document is one cached vendor record: an appointment, a patient, a practice's providers, its places, the account's
// practices, and the roster of a day (which appointments it has, whose and with whom, and since when that is known). A
// view is made of documents: the day board, a provider's day, a patient's card.
//
// # Where a document lies
//
// Each has a name, a keyed digest that stands in cache keys, events and logs (Names). Its cached value carries the tags
// of everything it was derived from, so that one atomic bump reaches all that is built on a changed record:
//
//	document       <- its own tag
//	board          <- its name, its day's roster, the practice's patients (a roll-up: any of them), providers and places
//	provider's day <- its name, its patients one by one (the roll-up when they are many), providers and places
//	card           <- its name, its patient, providers and places
//	everything     <- the tag of its practice, but what belongs to the whole account
//
// Graph holds these edges as data; Names.Cascade walks them from a changed record to the tags to bump. What a view shows
// of appointments it carries under its own name: a change bumps the names of the views that showed the appointment
// before, and of those that show it now, which the shadow and the answer know. So an entry has a handful of tags however
// many visits it shows, and a card is not made anew because somebody else was checked in.
//
// A roster is bumped by looks at its whole day alone. An appointment in doubt makes its own copy stale, and with it the
// views that show it; when it has been read by itself they are whole again, as old as their day was.
//
// # How far a card looks
//
// A card begins with a day, today at the practice, and shows CardDays days of one practice. It finds the patient's visits
// on the rosters of these days. Days of which nothing is known are counted and not asked for: the card says so, remembers
// the days that it was made with, and is made anew when another is known. A day whose roster has gone stays on it, as old
// as it was then.
//
// # What a view may do without
//
// A view shows what is there: a board without a patient's record has the name that the visit carries. So a record that
// comes must be told to whoever did without it. It is filled before the change that tells of it is made, and once more
// after: between them no view is kept that found neither the record nor a sign that it is in doubt. One gap is left: a
// copy that is evicted between the look at it and its filling.
//
// # Age
//
// A view's content changes seldom, its confirmation by the vendor often. Therefore views are cached by content, and a
// view's age is the age of its days' rosters, which every successful look at the vendor renews even when nothing changed.
// What the roster is to a day's visits, the roll is to the patients' records: a list of all changes up to a time confirms
// every record that it does not name (Store.ConfirmPatients). A card is as old as its oldest part.
//
// # Doubt
//
// A vendor in trouble answers "nothing found" with success. A day that comes back empty or less than half as large, and a
// patient who was known and is said not to exist, are believed when a second look says the same; until then what was
// known stands, and is called stale.
package practice
