// Package events reads the log of changes in a tenant's cache: which documents, which views, at
// which clock.
//
// The cache's invalidate script is the only writer. It raises the tag versions, appends the event
// and publishes the notification in one step, so no event is lost, duplicated or reordered relative
// to its change. This package only reads.
//
// # Keys
//
//	c1:{tenant}:x   stream; the entry's id is <clock>-0, the tenant's clock in microseconds at the change
//	                p  id of the previous event (decimal clock, 0 for the first of a log)
//	                e  epoch, 8 raw bytes      n  commit time, decimal µs
//	                i  event id                t  tags, 8 raw bytes each      b  body, JSON
//	c1:{tenant}:b   notification channel; the message is the clock in decimal and nothing else
//	c1:{tenant}:m   the cache's meta hash, of which this package reads field f: the clock at which the epoch began
//
// # Guarantees
//
// Order: events of one tenant arrive in the order of their clocks, each at least once while the
// consumer keeps its cursor, and exactly once within one Tail. Between tenants there is no order.
//
// Retention: the writer trims the log to about the last ten minutes. An older cursor has missed
// events.
//
// Gaps are detected, never skipped. Each event names the previous one, and the epoch names the
// clock at which it began. A cursor c has missed events exactly when the first event after c names
// a predecessor above c, or when the epoch began after c: the log was lost, or another server took
// over that may lack the last events. Both are ErrGap. The consumer then takes a new cursor from
// Last, reads its state again (its views from the cache), in this order, and continues.
//
// A cursor is a clock: that of an event, the result of Last, or the stamp of a cache entry ("what
// changed since this was loaded"). Zero reads whatever is retained and never returns ErrGap for its
// age.
//
// Pub/sub may lose messages, so a notification only says when to read the log, never what it holds.
// Without notifications Tail reads once a second. Channels are not divided by Redis database; a
// foreign notification costs one read.
//
// Events hold only refs and codes. Body rejects anything that does not look like a ref, in both
// directions.
package events
