//go:build browser

package monitor

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// post sends a request from the page itself, as its scripts do, and returns the status.
func (b *tab) post(path string) int {
	b.t.Helper()
	return ask[int](b, fmt.Sprintf(`fetch(%q, {method: "POST"}).then(r => r.status)`, path), chromedp.EvalAwaitPromise)
}

func TestBrowserViewer(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	b := openTab(t, s)
	b.login(vic, vicsPassword)
	b.follow(`nav a[href="/asynqmon/"]`, "/asynqmon/")
	b.text("interactive")
	b.screenshot("queues")
	const pause = "/asynqmon/api/queues/sync:pause"
	if got := b.post(pause); got != 403 {
		t.Errorf("a viewer's pause: %d", got)
	}
	if s.rdb.Exists(t.Context(), "asynq:{sync}:paused").Val() != 0 {
		t.Error("the queue is paused")
	}
	b.open("/asynqmon/redis")
	b.text("Could not retrieve redis live data")
	b.do(chromedp.Click(chromedp.CSS("#way-back")), chromedp.WaitVisible(chromedp.CSS("#lanes")))
	b.checkRequests()
}

func TestBrowserOperator(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	coded := s.enqueue(t, "push", "g", time.Now())
	s.failPending(t, "push", "denied")
	texted := s.enqueue(t, "push", "h", time.Now())
	s.failPending(t, "push", "vendor message: no patient "+plantedMarker)
	b := openTab(t, s)
	b.login(ann, annsPassword)

	b.open("/asynqmon/queues/push/tasks/" + coded)
	b.text("denied")
	b.text("0/9") // retries and our own limit
	b.text("bytes, sealed")
	b.checkNoSecrets()
	b.screenshot("task")
	b.open("/asynqmon/queues/push/tasks/" + texted)
	b.text("hidden")
	b.checkNoSecrets()
	b.open("/asynqmon/queues/push?status=archived")
	b.text("schedule.sync")
	b.checkNoSecrets()
	b.screenshot("archived")
	b.open("/asynqmon/servers")
	b.text("Servers")
	b.open("/asynqmon/redis")
	b.text("redis_version")
	b.screenshot("redis")

	b.open("/asynqmon/")
	b.text("interactive")
	if got := b.post("/asynqmon/api/queues/sync:pause"); got != 204 || s.rdb.Exists(t.Context(), "asynq:{sync}:paused").Val() != 1 {
		t.Errorf("an operator's pause: %d", got)
	}
	b.checkRequests()
}

// checkNoSecrets fails the test if the page contains data of a task or the vendor's text.
func (b *tab) checkNoSecrets() {
	b.t.Helper()
	html := b.all()
	for _, word := range []string{plantedMarker, "vendor message", "no patient", `"patient"`, "1073741824"} {
		if strings.Contains(html, word) {
			b.t.Errorf("the page contains %q", word)
		}
	}
}
