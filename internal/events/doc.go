// Package events reads the log of what changed in a tenant's cache: which documents, which views, at which clock.
//
// The cache's invalidate script is the only writer. It moves the tag versions, appends the event and rings the doorbell
// in one step, so no event can be lost, doubled or reordered against the change it tells of. This package only reads.
//
// # What lies where
//
//	c1:{tenant}:x   stream; the entry's id is <clock>-0, the tenant's clock in microseconds at the change
//	                p  id of the event before (decimal clock, 0 for the first of a log)
//	                e  epoch, 8 raw bytes      n  commit time, decimal µs
//	                i  event id                t  tags, 8 raw bytes each      b  body, JSON
//	c1:{tenant}:b   channel, the doorbell; the message is the clock in decimal and nothing else
//	c1:{tenant}:m   the cache's meta hash, of which this package reads field f: the clock at which the epoch began
//
// # What a consumer may rely on
//
// Order: events of one tenant arrive in the order of their clocks, each at least once while the consumer keeps its
// cursor, and exactly once within one Tail. Between tenants there is no order.
//
// Time: the writer trims the log to the last ten minutes or so. A cursor that is older has missed something.
//
// Gaps are found, never skipped. Each event names the one before it, and the epoch names the clock at which it began. So
// a cursor c has missed something exactly when the first event after c names a predecessor above c, or when the epoch
// began after c: the log was lost, or another server took over which may not have seen the last events. Both are ErrGap.
// A consumer that gets it reads the state anew (its views from the cache), takes a new cursor from Last before doing so,
// and goes on.
//
// A cursor is a clock: that of an event, the result of Last, or the stamp of a cache entry ("what changed since this
// was loaded"). Zero means "I know nothing": it gets whatever is retained, and nothing can be missing from that.
//
// Pub/sub may lose messages, so the doorbell only says when to look, never what there is. Without it Tail looks once a
// second. Doorbells are not divided by Redis database; a foreign one costs a look.
//
// Events hold refs and codes alone. Body refuses anything that does not look like a ref, in both directions.
package events
