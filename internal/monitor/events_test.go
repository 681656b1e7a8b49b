package monitor

import (
	"bufio"
	"context"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// follow opens the stream and passes on its events, name and data, until the stream ends.
func (v *testClient) follow(ctx context.Context, events chan<- [2]string) {
	defer close(events)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, v.testSite.url+"/now/events", nil)
	if err != nil {
		return
	}
	client := *v.client
	client.Timeout = 0
	resp, err := client.Do(r)
	if err != nil {
		return
	}
	defer func() { _ = resp.Body.Close() }()
	var event [2]string
	for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
		switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
		case "event":
			event[0] = value
		case "data":
			event[1] += value + "\n"
		case "":
			if event[0] != "" {
				events <- event
			}
			event = [2]string{}
		}
	}
}

// waitForEnd reads events until the stream ends.
func waitForEnd(t *testing.T, events <-chan [2]string) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	for open := true; open; {
		select {
		case _, open = <-events:
		case <-limit.C:
			t.Fatal("the stream did not end")
		}
	}
}

func TestNowStreamsChanges(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, vic)
	events := make(chan [2]string, 100)
	go v.follow(t.Context(), events)
	seen := map[string]string{}
	until := func(what string, ok func() bool) {
		t.Helper()
		limit := time.NewTimer(20 * time.Second)
		defer limit.Stop()
		for !ok() {
			select {
			case e, open := <-events:
				if !open {
					t.Fatalf("the stream ended while waiting for: %s", what)
				}
				seen[e[0]] = e[1]
			case <-limit.C:
				t.Fatalf("timed out waiting for: %s", what)
			}
		}
	}
	until("every section", func() bool {
		return !slices.ContainsFunc(sections, func(name string) bool { return seen[name] == "" })
	})
	clear(seen)
	s.enqueue(t, "sync", "a", time.Now().Add(-time.Hour))
	until("the changed section", func() bool { return strings.Contains(visibleText(seen["lanes"]), "sync 60 min 1 0 0 0 0") })
	if seen["deadletters"] != "" || seen["breakers"] != "" {
		t.Errorf("unchanged sections were sent too: %q", seen)
	}
	if a := v.post("/logout"); a.code != http.StatusSeeOther {
		t.Fatal(a.code)
	}
	waitForEnd(t, events)
}

// A monitor that stops ends its open streams.
func TestDrainEndsStreams(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, vic)
	events := make(chan [2]string, 100)
	go v.follow(t.Context(), events)
	<-events
	s.Drain()
	s.Drain()
	waitForEnd(t, events)
}

func TestStreamsAreLimited(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	for range maxStreams {
		s.streams <- struct{}{}
	}
	if a := s.as(t, vic).get("/now/events"); a.code != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("%d", a.code)
	}
}

// An open stream neither uses nor extends the session.
func TestStreamsDoNotExtendSessions(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	v := s.as(t, vic)
	key := s.rdb.Keys(t.Context(), "m1:{sessions}:*").Val()[0]
	s.rdb.Expire(t.Context(), key, time.Minute)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/now/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.client.Jar.Cookies(r.URL) {
		r.AddCookie(c)
	}
	if who, err := s.session(r, false); err != nil || who.Name != vic {
		t.Errorf("%+v, %v", who, err)
	}
	if ttl := s.rdb.TTL(t.Context(), key).Val(); ttl > time.Minute {
		t.Errorf("with a stream the session expires in %v", ttl)
	}
	if _, err := s.session(r, true); err != nil {
		t.Error(err)
	}
	if ttl := s.rdb.TTL(t.Context(), key).Val(); ttl <= time.Minute {
		t.Errorf("after a request the session expires in %v", ttl)
	}
}
