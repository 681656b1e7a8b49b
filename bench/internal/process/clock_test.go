package process

import (
	"context"
	"encoding/json"
	"testing"
	"time"
)

// clockRole reports what its clock shows, and how long it measures a pause of 50 ms.
var clockRole = Role{Name: "clock", Run: func(ctx context.Context, settings []byte, report func(any) error) error {
	var by time.Duration
	if err := json.Unmarshal(settings, &by); err != nil {
		return err
	}
	if err := skewClock(by); err != nil {
		return err
	}
	began := time.Now()
	if err := Pause(ctx, 50*time.Millisecond); err != nil {
		return err
	}
	return report(clockReading{Now: time.Now(), Took: time.Since(began)})
}}

type clockReading struct {
	Now  time.Time
	Took time.Duration
}

func TestSkewedClock(t *testing.T) {
	t.Parallel()
	if !CanSkew {
		if skewClock(time.Second) == nil {
			t.Error("the clock of a machine whose clock cannot be shifted was shifted")
		}
		return
	}
	for _, by := range []time.Duration{-90 * time.Second, 0, 90 * time.Second} {
		var got clockReading
		p, err := Start(t.Context(), clockRole.Name, by, &got)
		if err != nil {
			t.Fatal(err)
		}
		if off := time.Until(got.Now) - by; off.Abs() > 30*time.Second {
			t.Errorf("shifted by %v, the clock is off by %v more", by, off)
		}
		if got.Took < 50*time.Millisecond || got.Took > 30*time.Second {
			t.Errorf("shifted by %v, a pause of 50 ms took %v", by, got.Took)
		}
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
}
