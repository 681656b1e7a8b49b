// Package flow measures how much of the vendor's budget four workers use, how often the vendor
// refuses their calls, and how justly tenants share the workers. Every figure about calls is
// computed from the simulator's log. The vendor requires a little more than the interval that it
// names; only the simulator has the true spacing.
//
//	drain        backlogs of eight accounts, beside plain asynq with back-off and with a token bucket
//	changes      intervals that are not the documented ones, or change
//	hog          tenants with a few calls beside one with 50,000 waiting tasks
//	hog-slow     the same, while the calls of that one take 18 s and the others' 0.36 s
//	interactive  people's calls beside a backlog of the same account
//	failover     lost keys of flow control, a replica that lags, a worker that stops for a minute
//	skew         workers whose clocks are off
//	stopped      workers that are stopped for moments; --stops 500 takes nine minutes
//
// A row that requires 0 has a row beside it with the number of its cases. A run of all parts takes
// about 13 minutes.
package flow
