package codes

// Why a day shows less than the vendor has of it, or needs an operator's attention although it
// shows everything.
var (
	RowUnidentified = define("row_unidentified", "a row of the vendor's list has no number that can be read; look the day up at the vendor and correct the record")
	RowUndated      = define("row_undated", "a row of the vendor's list has no start that can be read, so its day is unknown; correct the record at the vendor")
	RowOpenEnded    = define("row_open_ended", "a row of the vendor's list has no end that can be read; it is shown on the day on which it starts, and later days may lack it. Correct the record at the vendor")
	RowUnreadable   = define("row_unreadable", "a row of the vendor's list cannot be read; look the day up at the vendor and correct the record")
	RowRepeated     = define("row_repeated", "rows of the vendor's list share a number and differ, such as a group or a series; all of them are shown")
	RowField        = define("row_field", "a value in a row of the vendor's list cannot be read, such as a date; the row is shown without it. Correct the record at the vendor")
	RowForeign      = define("row_foreign", "a row of the vendor's list belongs to a practice that the vendor does not list for the account; it is not shown. Ask the vendor whose it is, and read the account's practices again")
	TextReplaced    = define("text_replaced", "texts of the vendor contain characters that XML does not allow; they are shown as U+FFFD")
	ListCut         = define("list_cut", "the vendor cut the day's list at its limit, and what it left out cannot be requested; the day's boards lack those rows. Look the day up at the vendor, and remove entries that are not needed")
)
