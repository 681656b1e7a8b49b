// Package vendoroutage measures what outages of the vendor cost, and what records cost that always
// fail. Figures are computed from the simulator's log, from what the queue and the ledger hold
// about each task, from the breakers in Redis, and from the counters of redis-server.
//
//	outage       three minutes without the vendor while 2,000 tasks of eight accounts wait, beside
//	             plain asynq: the connections of half of the accounts are reset, the others get 503
//	bad-records  twenty patients and three days of schedules that fail for ten minutes, while other
//	             records are read all the time, beside the same without them
//	login        a tenant with a wrong password, and its correction
//
// Bad-records and login run beside the others. A row that requires 0 has a row beside it with the
// number of its cases. A run of all parts takes about 12 minutes.
package vendoroutage
