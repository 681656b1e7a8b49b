// Package monitor serves the operators' pages: asynqmon behind a login, and Now, one page that
// shows whether something is wrong.
//
// # What it shows
//
// It links no key and nothing that opens a payload. It shows what others publish: asynq's own keys
// in the queue's Redis, refs and codes in the ledger, and the scheduler's status document. Whatever
// else asynqmon would show of a task is replaced in the response: payloads and results by their
// length, error texts that are not codes by a fixed word.
//
// # Roles
//
//	            Now   queues and tasks   raw INFO   pause, run, archive, delete
//	viewer      yes   yes                no         no
//	operator    yes   yes                yes        yes, with the limits below
//
// The server enforces this with two asynqmon handlers on one path. A request that may change
// something must come from our own pages (http.CrossOriginProtection) and from a session whose
// cookie no other site can send. The log records it with the operator's name, the route's pattern,
// the lane, and the task's ID, which is a ref.
//
// Three of asynqmon's actions are refused or replaced. Lanes cannot be deleted, because running
// clients register a lane only once and would keep filling one that no longer appears in any list.
// An action on all tasks of a state is one script that blocks Redis for all clients, and
// for archived tasks asynq does not report which it archived: above [MaxBulk] tasks it is refused.
// Running an archived task first resolves its dead letter, so that a task that dies again becomes a
// dead letter again.
//
// # Sessions
//
// A session is a random token in a cookie. Redis stores its digest with the login's name, for
// sessionIdle after the last request and for sessionLife at most. A logout ends the session in
// every process at once. It also ends when the login's line in the password file is changed or
// removed and the process has read the file again.
//
// Wrong passwords cost time: a name has five attempts and then one every ten seconds, all unknown
// names share one limit, and only two comparisons run at the same time. An attacker that knows a
// name can therefore lock its owner out of new logins while the attempts continue; existing
// sessions are not affected.
package monitor
