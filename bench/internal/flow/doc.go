// Package flow measures how much of the vendor's budget four workers use, how often the vendor
// refuses their calls, and how justly tenants share the workers. Every figure about calls is
// computed from the simulator's log.
package flow
