package diagnose

import (
	"fmt"
	"strings"
	"time"
)

// Ago is how long ago something was, for people.
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

// Bytes is a size for people.
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

// Redact returns a name given in code as it is, and of any other text the length alone: it may tell of a person.
func Redact(s string) string {
	if len(s) > 200 || strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:/+") != "" {
		return fmt.Sprintf("[%d bytes]", len(s))
	}
	return s
}

// unknown stands for what a server or a record does not say.
const unknown = "unknown"
