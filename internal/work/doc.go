// Package work is what each kind of task does.
//
// A run makes at most one vendor call. What needs more fans out: a long window becomes several runs, the patients of a
// day become a run each. All runs are safe to repeat, because they read the vendor and compare: running twice costs a
// call and changes nothing.
//
// "Not now" is never a failure. When the vendor's budget, a breaker or a shutdown says when to come back, the error is
// handed on as tasks.Later and costs no attempt. What nobody can mend by trying again (a patient who does not exist, a
// refused login) is permanent. Everything else is retried.
package work
