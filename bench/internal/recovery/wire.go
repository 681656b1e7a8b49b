package recovery

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"net"
	"os"
	"sync"
)

// Requests of a worker to the sink.
const (
	doHello  = "hello"  // a worker has started
	doBegin  = "begin"  // a run has begun; the reply is whether the task's effect was applied
	doEffect = "effect" // a run has its effect; the reply is whether it was applied
	doEnd    = "end"    // the handler of a run returns
	doBury   = "bury"   // a task is a dead letter
)

// request is one line of a worker to the sink.
type request struct {
	Seq    uint64 `json:"seq"`
	Do     string `json:"do"`
	Worker int    `json:"worker,omitempty"`
	Run    int    `json:"run,omitempty"` // of the worker
	Task   int    `json:"task,omitempty"`
	ID     string `json:"id,omitempty"`
	Token  uint64 `json:"token,omitempty"`
	Lane   string `json:"lane,omitempty"` // that the task was taken from
	Code   string `json:"code,omitempty"`
}

// reply is the sink's line for one request.
type reply struct {
	Seq uint64 `json:"seq"`
	Yes bool   `json:"yes"`
}

// link is a worker's connection to the sink.
type link struct {
	mu      sync.Mutex
	conn    net.Conn
	seq     uint64
	waiting map[uint64]chan bool
}

func dialSink(ctx context.Context, socket string) (*link, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	l := &link{conn: conn, waiting: map[uint64]chan bool{}}
	go l.read()
	return l, nil
}

// read delivers replies. Without a sink the worker has no purpose.
func (l *link) read() {
	lines := json.NewDecoder(bufio.NewReader(l.conn))
	for {
		var r reply
		if err := lines.Decode(&r); err != nil {
			os.Exit(1)
		}
		l.mu.Lock()
		answer := l.waiting[r.Seq]
		delete(l.waiting, r.Seq)
		l.mu.Unlock()
		if answer != nil {
			answer <- r.Yes
		}
	}
}

// ask sends a request and returns the sink's reply.
func (l *link) ask(r request) (bool, error) {
	answer := make(chan bool, 1)
	l.mu.Lock()
	l.seq++
	r.Seq = l.seq
	l.waiting[r.Seq] = answer
	line, err := json.Marshal(r)
	if err == nil {
		_, err = l.conn.Write(append(line, '\n'))
	}
	l.mu.Unlock()
	if err != nil {
		return false, err
	}
	return <-answer, nil
}

// serve answers the workers of one side until the listener is closed.
func (s *sink) serve(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
		s.conns.Go(func() { s.attend(conn) })
	}
}

// attend answers one worker until its connection ends.
func (s *sink) attend(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	lines, replies := json.NewDecoder(bufio.NewReader(conn)), json.NewEncoder(conn)
	worker := 0
	for {
		var r request
		if lines.Decode(&r) != nil {
			break // also where a killed worker has cut a line
		}
		if r.Do == doHello {
			worker = r.Worker
		}
		if replies.Encode(reply{Seq: r.Seq, Yes: s.take(worker, r)}) != nil {
			break
		}
	}
	s.gone(worker)
}
