package redisconn

import (
	"testing"

	"github.com/workflow-bolt/rounds/internal/redistest"
)

func TestRunIDChangesWithARestart(t *testing.T) {
	t.Parallel()
	server := redistest.NewPrivate(t)
	server.Start(t)
	c, err := Dial(server.URL(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	read := func() string {
		id, err := RunID(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first, again := read(), read()
	server.Kill()
	server.Start(t)
	for range 2 { // the connections of the pool are lost, one error each
		if _, err := RunID(t.Context(), c); err == nil {
			break
		}
	}
	second := read()
	if first == "" || first != again || first == second {
		t.Errorf("run ids %q, %q, after the restart %q", first, again, second)
	}
	for range 2 {
		if id, err := RunID(t.Context(), redistest.Mini(t)); err != nil || id != embeddedRunID {
			t.Errorf("embedded: %q, %v", id, err)
		}
	}
}
