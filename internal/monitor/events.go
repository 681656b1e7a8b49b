package monitor

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/workflow-bolt/rounds/internal/access"
)

const (
	// maxStreams limits the number of open streams.
	maxStreams = 100
	// streamTimeout bounds one write to a stream.
	streamTimeout = 10 * time.Second
)

// nowEvents sends the changed sections of Now as events whose name is the section's and whose data
// is its HTML. The stream ends with the session and does not keep it alive.
func (m *Monitor) nowEvents(w http.ResponseWriter, r *http.Request, user access.Login) {
	select {
	case m.streams <- struct{}{}:
		defer func() { <-m.streams }()
	default:
		w.Header().Set("Retry-After", "30")
		http.Error(w, "too many open pages", http.StatusServiceUnavailable)
		return
	}
	s := stream{w: w, control: http.NewResponseController(w), sent: map[string][]byte{}}
	_ = s.control.SetReadDeadline(time.Time{}) // the server's limit is meant for requests that end
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store, no-transform") // a proxy that compresses would hold events back
	w.Header().Set("X-Accel-Buffering", "no")
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		if err := s.send(m.pages, viewOf(m.sampler.sample(r.Context()), user)); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-m.draining:
			return
		case <-tick.C:
		}
		now, err := m.session(r, false)
		if err != nil || now != user {
			return
		}
	}
}

// stream is one open page.
type stream struct {
	w       http.ResponseWriter
	control *http.ResponseController
	sent    map[string][]byte
}

// send writes the sections that differ from those on the page, in one write.
func (s *stream) send(p *pages, v nowView) error {
	var out bytes.Buffer
	for _, name := range sections {
		html, err := p.render(name, v)
		if err != nil {
			return err
		}
		if bytes.Equal(html, s.sent[name]) {
			continue
		}
		s.sent[name] = html
		fmt.Fprintf(&out, "event: %s\n", name)
		for line := range bytes.Lines(html) {
			fmt.Fprintf(&out, "data: %s\n", bytes.TrimRight(line, "\r\n"))
		}
		out.WriteByte('\n')
	}
	if out.Len() == 0 {
		out.WriteString(": no change\n\n")
	}
	if err := s.control.SetWriteDeadline(time.Now().Add(streamTimeout)); err != nil {
		return err
	}
	if _, err := s.w.Write(out.Bytes()); err != nil {
		return err
	}
	return s.control.Flush()
}
