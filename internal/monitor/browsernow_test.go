//go:build browser

package monitor

import (
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// scheme makes the browser prefer light or dark colors.
func (b *tab) scheme(name string) {
	b.t.Helper()
	b.do(send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}))
}

// phone gives the window the size of a phone.
func (b *tab) phone() {
	b.t.Helper()
	b.do(send(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true,
	}))
}

func TestBrowserNow(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	b := openTab(t, s)
	b.open("/login")
	b.accessible("the login")
	b.screenshot("login")
	b.login(vic, vicsPassword)
	b.text("The queue warm is paused.")
	b.text("the vendor throttled the operation")
	for _, name := range []string{"light", "dark"} {
		b.scheme(name)
		b.accessible("Now, " + name)
		b.screenshot(name)
	}
	b.phone()
	b.accessible("Now on a phone")
	b.screenshot("phone")
	if ask[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
		t.Error("the page is wider than a phone")
	}
	b.checkRequests()
}

// The page updates by itself and shows when it no longer does.
func TestBrowserNowUpdates(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	b := openTab(t, s)
	b.login(vic, vicsPassword)
	b.text("No scheduler has reported within a day")
	_ = ask[bool](b, "document.querySelector('#lanes a[href$=sync]').focus(), true")
	s.makeBusy(t)
	b.text("The queue warm is paused.")
	b.text("47 min ago")
	if link := ask[string](b, "document.activeElement.getAttribute('href') ?? ''"); link != "/asynqmon/queues/sync" {
		t.Errorf("an update moved the focus to %q", link)
	}
	for _, key := range s.rdb.Keys(t.Context(), "m1:{sessions}:*").Val() {
		s.rdb.Del(t.Context(), key)
	}
	disconnected := `getComputedStyle(document.querySelector(".stamp"), "::after").content.includes("Not updating")`
	s.eventually(t, "the notice that the page no longer updates", func() bool { return ask[bool](b, disconnected) })
	b.screenshot("disconnected")
	b.checkRequests()
}

func TestBrowserNowWithoutJavaScript(t *testing.T) {
	t.Parallel()
	s := newTestSite(t)
	s.makeBusy(t)
	b := openTab(t, s)
	b.do(send(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}))
	b.login(vic, vicsPassword)
	text, err := chromedp.Run(b.ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Without JavaScript this page does not update by itself.", "The queue warm is paused.", "2 of 4 practices have outdated schedules",
		"the vendor throttled the operation a moment ago", "90 min", "does_not_open", "GetAppointments", "unauthenticated", "Refresh",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the page has no %q:\n%s", want, text)
		}
	}
	b.screenshot("plain")
	b.do(chromedp.Click(chromedp.CSS(".who button")), chromedp.WaitVisible(chromedp.CSS("#password")))
	b.checkRequests()
}
