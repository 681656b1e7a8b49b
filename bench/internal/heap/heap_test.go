package heap

import (
	"runtime"
	"testing"
)

//nolint:paralleltest // other tests of the process would allocate
func TestMeterCountsWhatIsHeld(t *testing.T) {
	m := Start()
	for range 10 {
		garbage := make([]byte, 20_000_000)
		runtime.KeepAlive(garbage)
	}
	m.Read()
	if got := m.MB(); got > 1 {
		t.Errorf("garbage counts as %.1f MB", got)
	}
	held := make([]byte, 20_000_000)
	m.Read()
	runtime.KeepAlive(held)
	m.Read() // a later, smaller reading does not lower the peak
	if got := m.MB(); got < 19 || got > 22 {
		t.Errorf("20 MB count as %.1f MB", got)
	}
}
