//go:build browser

package monitor

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// artefacts is where screenshots go; git does not see it.
const artefacts = "../../artefacts/monitor"

// axeFile is installed by make browser.
const axeFile = "../../tools/browser/node_modules/axe-core/axe.min.js"

// tab is one page in a real Chromium, with its requests and complaints.
type tab struct {
	t        *testing.T
	testSite *testSite
	ctx      context.Context

	mu         sync.Mutex
	requests   []string // every requested URL
	complaints []string // Chromium's complaints about content policy and scripts
}

// openTab starts a separate browser, so that tests do not share cookies.
func openTab(t *testing.T, s *testSite) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.WSURLReadTimeout(time.Minute),
	)
	limited, stop := context.WithTimeout(context.Background(), 3*time.Minute)
	allocator, stopAllocator := chromedp.NewExecAllocator(limited, options...)
	ctx, stopTab := chromedp.NewContext(allocator)
	b := &tab{t: t, testSite: s, ctx: ctx}
	var listening sync.WaitGroup
	t.Cleanup(func() { stopTab(); stopAllocator(); stop(); listening.Wait() })
	b.do(send(network.Enable, network.EnableParams{}), send(log.Enable, cdp.Empty{}), send(runtime.Enable, cdp.Empty{}))
	record(b, &listening, network.RequestWillBeSent, func(e network.EventRequestWillBeSent) { b.requests = append(b.requests, e.Request.URL) })
	record(b, &listening, log.EntryAdded, func(e log.EventEntryAdded) {
		if e.Entry.Source == log.EntrySourceSecurity || strings.Contains(e.Entry.Text, "Content Security Policy") {
			b.complaints = append(b.complaints, e.Entry.Text)
		}
	})
	record(b, &listening, runtime.ExceptionThrown, func(e runtime.EventExceptionThrown) { b.complaints = append(b.complaints, e.ExceptionDetails.Text) })
	return b
}

// record passes the browser's events of one kind to note until the tab closes.
func record[E any](b *tab, listening *sync.WaitGroup, event cdp.Event[E], note func(E)) {
	events := cdp.Events(b.ctx, chromedp.FromContext(b.ctx).Target, event)
	listening.Go(func() {
		for e, err := range events {
			if err != nil {
				return
			}
			b.mu.Lock()
			note(e)
			b.mu.Unlock()
		}
	})
}

// send is an action that sends one command and ignores its result.
func send[P, R any](c cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, c, params)
		return err
	})
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, actions...); err != nil {
		b.t.Fatal(err)
	}
}

// ask returns the result of a script in the page.
func ask[T any](b *tab, script string, options ...chromedp.EvaluateOption) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script, options...))
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

// open opens one of our pages.
func (b *tab) open(path string) {
	b.t.Helper()
	b.do(chromedp.Navigate(b.testSite.url + path))
}

func (b *tab) login(name, password string) {
	b.t.Helper()
	b.open("/now")
	b.do(
		chromedp.WaitVisible(chromedp.CSS("#password")),
		chromedp.SendKeys(chromedp.CSS("#name"), name),
		chromedp.SendKeys(chromedp.CSS("#password"), password+"\n"),
		chromedp.WaitVisible(chromedp.CSS("#lanes")),
	)
}

// follow clicks a link to another page and waits until the browser has loaded it: text alone proves
// nothing, because the page before may contain it too.
func (b *tab) follow(link, path string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(link)))
	b.until(fmt.Sprintf("location.pathname === %q && document.readyState === 'complete'", path))
}

// text waits until the page shows the text.
func (b *tab) text(want string) {
	b.t.Helper()
	quoted, err := json.Marshal(want)
	if err != nil {
		b.t.Fatal(err)
	}
	b.until(fmt.Sprintf("document.body !== null && document.body.innerText.includes(%s)", quoted))
}

// until waits for a condition in the page.
func (b *tab) until(script string) {
	b.t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for { // fails while the browser leaves a page
		holds, err := chromedp.Run(b.ctx, chromedp.Evaluate[bool](script))
		if err == nil && holds {
			return
		}
		if time.Now().After(limit) {
			b.screenshot("failed")
			b.t.Fatalf("timed out waiting for %s: %v\n%s", script, err, ask[string](b, "document.body.innerText"))
		}
		b.do(chromedp.Sleep(20 * time.Millisecond))
	}
}

// all returns the whole content of the page, including attributes.
func (b *tab) all() string {
	b.t.Helper()
	return ask[string](b, "document.documentElement.outerHTML")
}

// screenshot saves a picture of the page.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	if err := os.MkdirAll(artefacts, 0o755); err != nil {
		b.t.Fatal(err)
	}
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	file := strings.TrimPrefix(b.t.Name(), "TestBrowser") + "-" + name + ".png"
	if err := os.WriteFile(filepath.Join(artefacts, file), picture, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

// checkRequests fails the test if the page sent a request to another host or violated its content
// policy.
func (b *tab) checkRequests() {
	b.t.Helper()
	home, err := url.Parse(b.testSite.url)
	if err != nil {
		b.t.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, r := range b.requests {
		if u, err := url.Parse(r); err != nil || u.Host != home.Host && u.Scheme != "data" {
			b.t.Errorf("the page requested %s", r)
		}
	}
	for _, f := range b.complaints {
		b.t.Errorf("Chromium complains: %s", f)
	}
	if len(b.requests) == 0 {
		b.t.Error("no request was recorded")
	}
}

// accessible checks the page with axe.
func (b *tab) accessible(what string) {
	b.t.Helper()
	axe, err := os.ReadFile(axeFile)
	if err != nil {
		b.t.Fatalf("axe-core is not installed; make browser installs it: %v", err)
	}
	type violation struct {
		ID    string `json:"id"`
		Help  string `json:"help"`
		Nodes []struct {
			HTML string `json:"html"`
		} `json:"nodes"`
	}
	_ = ask[int](b, string(axe)+";0")
	found := ask[[]violation](b, `axe.run().then(r => { window.axeResult = r; return r.violations; })`, chromedp.EvalAwaitPromise)
	checks := ask[int](b, `window.axeResult.passes.length`)
	for _, v := range found {
		b.t.Errorf("%s: axe %s: %s: %+v", what, v.ID, v.Help, v.Nodes)
	}
	if checks < 10 {
		b.t.Errorf("%s: axe made only %d checks", what, checks)
	}
}
