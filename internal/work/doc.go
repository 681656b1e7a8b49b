// Package work implements the worker of each kind of task.
//
// A run applies at most one answer of the vendor. Larger work becomes more tasks: a long range
// becomes several runs, and the patients of a day become a run each. All runs are safe to repeat,
// because they read the vendor's data and compare it with the cache: running twice costs a call and
// changes nothing.
//
// A list of some days may lack the entries that began before them. A run therefore requests the
// seven days before its own too, up to 14 for an entry that is known, and as many as one call has
// room for in the morning, for long ranges, and once for days that are new (see lookback). If the
// vendor selects by start, boards have an entry up to the 52nd day after it began, and longer ones
// not after that.
//
// A run whose work is not needed any more makes no call: its days are over at the practice, and
// none was when they were last demanded; or all that it would read was read from the vendor after
// its last demand (see dayOver and overtaken). That holds for days, patients, changed patients,
// providers and places; single appointments, sweeps and what concerns the account are read in any
// case.
//
// "Not now" is never a failure. If the vendor's budget, a breaker or a shutdown names a time to
// come back, the run returns that as tasks.Later, which costs no attempt. Errors that no retry can
// repair are permanent, such as a patient that does not exist or a rejected login. Everything else
// is retried.
package work
