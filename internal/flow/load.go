package flow

import (
	"cmp"
	"math"
	"time"
)

const (
	// headroom is how many times the calls that the mean latency explains may be in flight:
	// latencies vary, and so does how many of a tenant's tasks a process has.
	headroom = 1.5
	// usualLatency is that of an operation while none is known.
	usualLatency = 3 * time.Second
	// latencyGain is the weight of the newest latency in the mean.
	latencyGain = 0.25
	// loadLife is how long an operation that is no longer called counts.
	loadLife = 2 * time.Minute
	// maxOperations bounds the operations of a tenant that are counted, far above those that the
	// vendor has.
	maxOperations = 64
)

// load estimates how many calls of a tenant are in flight while its budget is used up: by Little's
// law, the sum of latency × rate of its operations. The zero value is ready.
type load struct {
	operations map[string]operationLoad
}

// operationLoad is what is known of the calls of one operation.
type operationLoad struct {
	latency time.Duration // moving average; 0 until one is known
	spacing time.Duration // of its calls; the documented interval until it is known
	used    time.Time
}

// called records that a call of the operation begins.
func (l *load) called(operation string, interval time.Duration, now time.Time) {
	for name, o := range l.operations {
		if now.Sub(o.used) > loadLife {
			delete(l.operations, name)
		}
	}
	o, known := l.operations[operation]
	if !known && len(l.operations) >= maxOperations {
		return
	}
	if l.operations == nil {
		l.operations = map[string]operationLoad{}
	}
	if o.used = now; o.spacing == 0 {
		o.spacing = interval
	}
	l.operations[operation] = o
}

// ended records the latency of a call that called has recorded, and the spacing, unless it is 0.
func (l *load) ended(operation string, latency, spacing time.Duration) {
	o, known := l.operations[operation]
	switch {
	case !known:
		return
	case o.latency == 0:
		o.latency = latency
	default:
		o.latency += time.Duration(latencyGain * float64(latency-o.latency))
	}
	if spacing > 0 {
		o.spacing = spacing
	}
	l.operations[operation] = o
}

// calls returns how many calls the tenant needs in flight to use all of its budget.
func (l *load) calls() int {
	total := 0.0
	for _, o := range l.operations {
		total += float64(cmp.Or(o.latency, usualLatency)) / float64(o.spacing)
	}
	return int(math.Ceil(headroom*min(total, math.MaxInt32))) + leastPlaces
}

// longest returns the longest mean latency of the tenant's operations; 0 if none is known.
func (l *load) longest() (latency time.Duration) {
	for _, o := range l.operations {
		latency = max(latency, o.latency)
	}
	return latency
}
