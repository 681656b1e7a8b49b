package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// How often progress is printed: a terminal line is rewritten, a log gets a new line.
const (
	progressLine  = 5 * time.Second
	progressPlace = 200 * time.Millisecond
)

// progress prints the progress of long operations to stderr. Short operations print nothing.
type progress struct {
	out     io.Writer
	what    string
	inPlace bool
	every   time.Duration
	next    time.Time
	width   int // of the terminal line's text
}

func (e *env) progress(what string) *progress {
	p := &progress{out: e.stderr, what: what, inPlace: isTerminal(e.stderr) && e.getenv("TERM") != "dumb", every: progressLine}
	if p.inPlace {
		p.every = progressPlace
	}
	p.next = time.Now().Add(p.every)
	return p
}

// at prints the progress if enough time has passed since the last line.
func (p *progress) at(done, total int) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.every)
	line := fmt.Sprintf("%s: %d of %d (%d %%)", p.what, done, total, done*100/max(1, total))
	if !p.inPlace {
		_, _ = fmt.Fprintln(p.out, line)
		return
	}
	pad := strings.Repeat(" ", max(0, p.width-len(line)))
	p.width = len(line)
	_, _ = fmt.Fprint(p.out, "\r"+line+pad)
}

// end clears the terminal line.
func (p *progress) end() {
	if p.inPlace && p.width > 0 {
		_, _ = fmt.Fprint(p.out, "\r"+strings.Repeat(" ", p.width)+"\r")
		p.width = 0
	}
}
