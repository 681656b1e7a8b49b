package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Service is what Run drives.
type Service struct {
	// Start returns as soon as the service runs. If it fails it undoes what it did; Stop is not
	// called. Required.
	Start func(context.Context) error
	// Stop ends the service before its context ends. It is called once. Required.
	Stop func(context.Context) error
	// Failed delivers an error when the service can no longer work. Nil means that it never fails.
	Failed <-chan error
}

// Run starts the service, waits until ctx ends or the service fails, and stops it within grace. It
// returns the service's failure joined with the error of stopping; the end of ctx is not an error.
// If ctx has already ended, Run starts nothing.
func Run(ctx context.Context, grace time.Duration, s Service) error {
	if ctx.Err() != nil {
		return nil
	}
	if err := s.Start(ctx); err != nil {
		return fmt.Errorf("start: %w", err)
	}
	var failure error
	select {
	case <-ctx.Done():
	case failure = <-s.Failed:
	}
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	return errors.Join(failure, s.Stop(stopCtx))
}
