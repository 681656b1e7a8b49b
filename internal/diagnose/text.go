package diagnose

import (
	"fmt"
	"strings"
	"time"
)

// Ago formats the time between t and now for people: "3m0s ago", or "in 3m0s" for a time in the
// future.
func Ago(t, now time.Time) string {
	d := now.Sub(t)
	switch {
	case d < 0:
		return "in " + (-d).Round(time.Second).String()
	case d < time.Minute:
		return d.Round(100*time.Millisecond).String() + " ago"
	}
	return d.Round(time.Second).String() + " ago"
}

// Bytes formats a size for people.
func Bytes(n int64) string {
	const step = 1024
	switch {
	case n < 10*step:
		return fmt.Sprintf("%d B", n)
	case n < 10*step*step:
		return fmt.Sprintf("%d KiB", n/step)
	case n < 10*step*step*step:
		return fmt.Sprintf("%d MiB", n/step/step)
	}
	return fmt.Sprintf("%d GiB", n/step/step/step)
}

// Redact returns s unchanged if it looks like a name from code. Any other text may identify a
// person, so only its length is returned.
func Redact(s string) string {
	if len(s) > 200 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/+") != "" {
		return fmt.Sprintf("[%d bytes]", len(s))
	}
	return s
}

// unknown is shown for a value that a server or a record does not have.
const unknown = "unknown"
