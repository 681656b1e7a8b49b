package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Service is what Run drives.
type Service struct {
	// Start returns as soon as the service runs. When it fails it has undone what it did, so Stop is not called.
	// Required.
	Start func(context.Context) error
	// Stop ends the service before its context does. It is called once. Required.
	Stop func(context.Context) error
	// Failed delivers an error when the service can no longer do its work. Nil: it never fails by itself.
	Failed <-chan error
}

// Run starts the service, waits until ctx ends or the service fails, and stops it within grace. Being told to stop is no
// error; Run returns the service's failure joined with what went wrong while stopping. A ctx that has ended before the
// start starts nothing.
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
