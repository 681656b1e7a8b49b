// Package monitor serves the operators' pages: asynqmon behind a login, and Now, one page that says whether something is
// wrong.
//
// # What it can see
//
// It links no key and nothing that opens a payload. It shows what others publish: asynq's own keys in the queue's Redis,
// refs and codes in the ledger, and the scheduler's status document. What asynqmon would show of a task beyond that is
// replaced on its way out: payloads and results by their length, texts of errors that are no code by a word.
//
// # Who may do what
//
//	            Now   queues and tasks   raw INFO   pause, run, archive, delete
//	viewer      yes   yes                no         no
//	operator    yes   yes                yes        yes, with the limits below
//
// The server decides, by two handlers of asynqmon over one path. A request that may change something comes from our own
// pages (http.CrossOriginProtection), from a session whose cookie no other site can send, and is in the log with the
// name of who sent it, the route's pattern, the lane, and the task's ID, which is a ref.
//
// Three things asynqmon offers are refused or done otherwise. A lane is never deleted, because running clients remember
// that they announced it and would fill a lane that nobody lists. An action on all tasks of a state is one script that
// stops Redis for everybody, and for archived ones asynq forgets what it archived: above [MaxBulk] tasks it is refused. And to run
// an archived task settles its dead letter first, so that a task that dies again is a letter again.
//
// # Sessions
//
// A session is a random token in a cookie; Redis keeps its digest with the name, for [sessionIdle] after the last request
// and [sessionLife] at most. It ends with a logout, in every process at once, and when the login's line in the password
// file is changed or gone and the process has read the file anew.
//
// Wrong passwords cost time: five attempts for a name at once and then one in ten seconds, all unknown names counting as
// one, and two comparisons at the same time. Somebody who knows a name can thereby keep its owner out for as long as the
// attempts go on; sessions that exist are not touched.
package monitor
