//go:build browser

package monitor

import (
	"testing"

	"github.com/chromedp/cdproto/emulation"
)

// scheme makes the browser prefer light or dark colours.
func (b *tab) scheme(name string) {
	b.t.Helper()
	b.do(send(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}},
	}))
}

// phone makes the window that of a phone.
func (b *tab) phone() {
	b.t.Helper()
	b.do(send(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
		Width: 390, Height: 844, DeviceScaleFactor: 2, Mobile: true,
	}))
}

func TestBrowserNow(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.busy(t)
	b := openTab(t, s)
	b.open("/login")
	b.accessible("the login")
	b.shot("login")
	b.login(vic, vicsPassword)
	b.text("The queue warm is paused.")
	b.text("the vendor throttled the operation")
	for _, name := range []string{"light", "dark"} {
		b.scheme(name)
		b.accessible("Now, " + name)
		b.shot(name)
	}
	b.phone()
	b.accessible("Now on a phone")
	b.shot("phone")
	if ask[bool](b, "document.documentElement.scrollWidth > document.documentElement.clientWidth") {
		t.Error("the page is wider than a phone")
	}
	b.stayedHome()
}
