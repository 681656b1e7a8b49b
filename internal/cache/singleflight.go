package cache

import "sync"

// flight is one load of this process, and what those who wait for it get. Its results are written by the leader before
// done is closed; both empty means: try yourself.
type call struct {
	done  chan struct{}
	entry Entry
	err   error
}

type callGroup struct {
	mu sync.Mutex
	m  map[string]*call
}

// join returns the flight that is under way, or a new one and true.
func (g *callGroup) join(name string) (*call, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cl := g.m[name]; cl != nil {
		return cl, false
	}
	if g.m == nil {
		g.m = make(map[string]*call)
	}
	cl := &call{done: make(chan struct{})}
	g.m[name] = cl
	return cl, true
}

// detach takes no more passengers.
func (g *callGroup) forget(name string, cl *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.m[name] == cl {
		delete(g.m, name)
	}
}

// land ends the flight and wakes those who wait.
func (g *callGroup) finish(name string, cl *call) {
	g.forget(name, cl)
	close(cl.done)
}
