package cache

import "sync"

// call is one load in progress in this process, and its result for the callers that wait. The
// loading caller sets the result before it closes done; waiting callers that cannot share it try
// themselves.
type call struct {
	done  chan struct{}
	entry Entry
	grant Grant // under which entry was loaded; the zero Grant if it was not
	// stored reports that the entry was stored.
	stored bool
	err    error
}

// callGroup holds the loads in progress, by entry key.
type callGroup struct {
	mu sync.Mutex
	m  map[string]*call
}

// join returns the call in progress and false, or a new one and true.
func (g *callGroup) join(name string) (cl *call, isFirst bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if cl := g.m[name]; cl != nil {
		return cl, false
	}
	if g.m == nil {
		g.m = make(map[string]*call)
	}
	cl = &call{done: make(chan struct{})}
	g.m[name] = cl
	return cl, true
}

// forget lets no more callers join the call.
func (g *callGroup) forget(name string, cl *call) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.m[name] == cl {
		delete(g.m, name)
	}
}

// finish ends the call and wakes the callers that wait.
func (g *callGroup) finish(name string, cl *call) {
	g.forget(name, cl)
	close(cl.done)
}
