// Package heap measures how much memory an operation keeps alive while it runs.
package heap

import (
	"runtime"
	"runtime/metrics"
)

// Meter records the largest live heap since Start. Only what is reachable counts: each reading
// forces a collection. Garbage that waits for the next collection does not count, because its
// amount depends on GOGC.
type Meter struct{ base, peak uint64 }

// Start returns a meter whose zero is the present live heap of the process.
func Start() *Meter {
	runtime.GC() // the second collection empties the pools, which survive the first
	live := read()
	return &Meter{base: live, peak: live}
}

// Read measures the live heap. Call it while the operation holds what it needs.
func (m *Meter) Read() { m.peak = max(m.peak, read()) }

// MB returns the largest reading above zero, in millions of bytes.
func (m *Meter) MB() float64 { return float64(m.peak-m.base) / 1e6 }

func read() uint64 {
	runtime.GC()
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
