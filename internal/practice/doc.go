// Package practice knows what a practice's data means: documents, views, what is built from what, and how a vendor row
// becomes one of ours.
//
// A document is one cached vendor record: an appointment, a patient, the directory of a practice's providers, and the
// roster of a day (which appointments it has, and since when that is known). A view is made of documents: the day board.
//
// # Where a document lies
//
// Each has a name, a keyed digest that stands in cache keys, events and logs (Names). Its cached value carries the tags
// of everything it was derived from, so that one atomic bump reaches all that is built on a changed record:
//
//	appointment  <- its own tag
//	patient      <- its own tag
//	directory    <- its own tag
//	day          <- its own tag
//	board        <- the tag of its day, of its practice's patients (a roll-up: any of them), of its directory
//	everything   <- the tag of its practice
//
// Graph holds these edges as data; Names.Cascade walks them from a changed record to the tags to bump.
//
// # Age
//
// A board's content changes seldom, its confirmation by the vendor often. Therefore the board is cached by content, and
// its age is the age of the day's roster, which every successful look at the vendor renews even when nothing changed.
package practice
