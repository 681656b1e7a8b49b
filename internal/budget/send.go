package budget

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// A call that is sent up to onTime later than granted needs no further permission.
const onTime = 2 * time.Millisecond

// Send asks for the permission to send the call of a slot that Acquire reserved. It sets the
// decision of the slot: Granted, and the call may be sent at Begin if Confirm agrees then; or Paced
// or Blocked, and the slot has moved: the caller asks again shortly before Begin. After an error
// the slot must not be used.
func (p *Pace) Send(ctx context.Context, op Operation, s *Slot) error {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	s.Decision = Blocked
	asked := time.Now()
	v, err := p.run(ctx, sendScript, op, s.at, s.reserved, s.mark, s.slowdown, onTime.Microseconds()).Int64Slice()
	if err != nil {
		return fmt.Errorf("send: %w", err)
	}
	if len(v) != 7 {
		return fmt.Errorf("send: %d values", len(v))
	}
	s.Decision, s.Wait, s.at = Decision(v[0]), micros(v[1]), v[2]
	s.asked, s.replied = asked, time.Now()
	if s.Decision != Granted {
		return nil
	}
	s.sent, s.previous, s.margin, s.window = v[2], v[3], v[4], max(micros(v[6])/2, time.Microsecond)
	// Redis' clock may have jumped forward.
	if early := p.sent.until(op, micros(v[5])+micros(v[6])/2); early.After(s.Begin()) {
		s.Decision, s.Wait = Paced, time.Until(early)
		s.replied = time.Now()
	}
	return nil
}

// Confirm reports whether the call of a granted slot may be sent at this moment. It asks Redis only
// if the call is late. A call that is later than granted then moves the calls behind it; it may not
// be sent if another one was granted in the meantime, or if Redis does not answer at once.
func (p *Pace) Confirm(ctx context.Context, op Operation, s *Slot) bool {
	if s.Decision != Granted {
		return false
	}
	window := min(onTime, s.window)
	for range 3 {
		if s.late() <= window {
			p.sent.now(op)
			return true
		}
		if !p.renew(ctx, op, s) {
			return false
		}
		window = s.window
	}
	return false
}

func (p *Pace) renew(ctx context.Context, op Operation, s *Slot) bool {
	ctx, cancel := context.WithTimeout(ctx, redisLimit)
	defer cancel()
	asked := time.Now()
	sent, err := p.run(ctx, renewScript, op, s.sent).Int64()
	if err != nil || sent == 0 {
		return false
	}
	s.sent, s.Wait, s.asked, s.replied = sent, 0, asked, time.Now()
	return true
}

// Refund returns an unused slot if it is the last one reserved. Errors are ignored: the slot is
// lost, which is safe.
func (p *Pace) Refund(ctx context.Context, op Operation, s Slot) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), redisLimit)
	defer cancel()
	_ = p.run(ctx, refundScript, op, s.at, s.mark, s.next, s.before, s.sent, s.previous).Err()
}

// lastSent remembers when this process sent the last call of each operation, by the process's own
// clock, which does not jump.
type lastSent struct {
	mu    sync.Mutex
	at    map[string]time.Time
	sweep int // the size at which old entries are removed
}

// now records a call.
func (l *lastSent) now(op Operation) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.at == nil {
		l.at, l.sweep = map[string]time.Time{}, 1024
	}
	if len(l.at) >= l.sweep {
		for key, at := range l.at {
			if time.Since(at) > 2*maxInterval {
				delete(l.at, key)
			}
		}
		l.sweep = max(1024, 2*len(l.at))
	}
	l.at[op.key()] = time.Now()
}

// until returns when the operation may be called again by this process alone.
func (l *lastSent) until(op Operation, spacing time.Duration) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.at[op.key()].Add(spacing)
}
