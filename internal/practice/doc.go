// Package practice defines what a practice's data means: documents, views, which of them is built
// from which, and how a row of the vendor becomes a document.
//
// A document is one cached vendor record: an appointment, a patient, a practice's providers, its
// places, the account's practices, or the roster of a day (which appointments it has, of which
// patients and providers, and when that was last confirmed). A view is built from documents: the
// day board, a provider's day, a patient's card.
//
// # Names and tags
//
// Each document and view has a name (Names): a keyed digest that represents it in cache keys,
// events and logs. Its cached value carries the tags of everything it was derived from, so that one
// atomic change reaches everything that is built on a changed record:
//
//	document       <- its own tag; an occurrence also that of its ID's occurrences
//	board          <- its name, its day's roster, the tenant's patients (a roll-up: any of them), providers and places
//	provider's day <- its name, its patients one by one (the roll-up if they are many), providers and places
//	card           <- its name, its patient, what days lack (a roll-up), providers and places
//	everything     <- the tag of its practice, except what belongs to the whole account
//
// graph holds these edges as data; impact follows them from a changed record to the tags to raise.
// A view carries what it shows of appointments under its own name: a change raises the names of the
// views that showed the appointment before, and of those that show it now, which are known from the
// last-seen record and the answer. An entry therefore has a handful of tags however many visits it
// shows, and a card is not rebuilt because another patient was checked in.
//
// Only a read of its whole day raises a roster's tag. An appointment in doubt makes its own copy
// stale, and with it the views that show it; after the appointment has been read by itself they are
// valid again, as old as their day was.
//
// # Reading a view
//
// A read looks up the view together with its parts, the documents that decide how fresh it is, in
// one round trip. If the view is there, that is all. Otherwise concurrent reads, in all processes,
// share one build (cache.Load). A view with a missing or doubtful part is returned but not stored.
//
// # The days of a card
//
// A card begins on a day, today at the practice, and shows CardDays days of one practice. It finds
// the patient's visits on the rosters of these days. It counts days without a roster and does not
// request them. A card stores which days it was built with, and is rebuilt when another one is
// known. A day whose roster has expired stays on the card, as old as it was then.
//
// # Views with gaps
//
// A view shows what is there: a board without a patient's record has the name that the visit
// carries. A record that arrives must therefore invalidate the views that lack it. It is filled
// before its change is committed, and once more after: between the two no view is stored that found
// neither the record nor a sign that it is in doubt. One gap remains: a copy that is evicted
// between the lookup and its filling.
//
// # Rows that share an ID
//
// A visit is its ID while the vendor gives that ID once: seen on another day, it has moved. Whether
// series and groups repeat an ID in lists is unknown, so rows that share one are all kept, each
// under a name of its own: an occurrence, which is a day and a row, and the row is its start and
// patient. An entry of several days is an occurrence on each of them. Every occurrence has a
// document and a last-seen record; the record of the ID lists its occurrences, and by a tag of its
// own Invalidate reaches them all.
//
// An answer about one day does not show whether a visit that was on another day has moved or is
// repeated. The time of the vendor's last modification decides, if it can be read. In both cases
// the other day is stale and is read again (Applied.Reread).
//
// # Age
//
// A view's content changes rarely, but the vendor confirms it often. Views are therefore cached by
// content, and a view's age is the age of its days' rosters, which every successful read renews
// even if nothing changed. What the roster is to a day's visits, the PatientsConfirmation is to the
// patients' records: a list of all changes up to a time confirms every record that it does not name
// (Store.ConfirmPatients). A card is as old as its oldest part.
//
// # Doubt
//
// The vendor sometimes answers "nothing found" with success during an outage, and always when a
// list is filtered by a name that no practice has. An answer that is empty, or has less than half
// of what is known of the day or of all its days, is applied when two conditions hold: a second
// answer to the same question is the same, and after the first one was received the vendor has
// confirmed, by the practice's number, that the practice has the name that was asked for and may be
// read (Identity). Until then the known data stays, and is called stale. A day of which nothing is
// known needs the same proof before it is shown as empty, unless the answer has a row of any day:
// that row shows that a practice has the name.
//
// A report that a known patient does not exist counts only when a second answer confirms it.
package practice
