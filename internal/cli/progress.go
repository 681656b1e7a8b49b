package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// How often progress is told: at a terminal in place, elsewhere as lines that a log can bear.
const (
	progressLine  = 5 * time.Second
	progressPlace = 200 * time.Millisecond
)

// progress tells on stderr how far long work has come. Short work tells nothing.
type progress struct {
	out     io.Writer
	what    string
	inPlace bool
	every   time.Duration
	next    time.Time
	width   int // of what stands on the terminal's line
}

func (e *env) progress(what string) *progress {
	p := &progress{out: e.stderr, what: what, inPlace: isTerminal(e.stderr) && e.getenv("TERM") != "dumb", every: progressLine}
	if p.inPlace {
		p.every = progressPlace
	}
	p.next = time.Now().Add(p.every)
	return p
}

// at tells that so many of all are done, when it is time to tell.
func (p *progress) at(done, all int) {
	now := time.Now()
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(p.every)
	line := fmt.Sprintf("%s: %d of %d (%d %%)", p.what, done, all, done*100/max(1, all))
	if !p.inPlace {
		_, _ = fmt.Fprintln(p.out, line)
		return
	}
	pad := strings.Repeat(" ", max(0, p.width-len(line)))
	p.width = len(line)
	_, _ = fmt.Fprint(p.out, "\r"+line+pad)
}

// end clears the terminal's line.
func (p *progress) end() {
	if p.inPlace && p.width > 0 {
		_, _ = fmt.Fprint(p.out, "\r"+strings.Repeat(" ", p.width)+"\r")
		p.width = 0
	}
}
