package console

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"checkout/test/stack"
)

// hide is the beginning of a script that hides the elements of a selector. The caller appends the selector and ")".
const hide = `((selector) => {
	const style = new CSSStyleSheet();
	style.replaceSync(selector + " { display: none !important; }");
	document.adoptedStyleSheets.push(style);
	return true;
})(`

// TestImages makes the pictures of the documentation: the console in light and dark colours, and a film of the
// recovery after a kill. `make screenshots` runs it. IMAGES is the directory for the pictures.
func TestImages(t *testing.T) {
	dir := os.Getenv("IMAGES")
	if dir == "" {
		t.Skip("make screenshots runs this test")
	}
	b := openDemo(t, stack.Config{})
	b.do(chromedp.EmulateViewport(1280, 1400))
	b.shows("#credit", "500 credits")
	value[bool](b, hide+`"#demo")`)
	for range 15 { // fill the charts
		b.do(chromedp.Click(css("#buy")))
		b.shows("#outcome", "Bought for 12 credits.")
		time.Sleep(time.Second)
	}
	b.do(chromedp.Click(css("#case-sold-out")))
	b.shows("#outcome", "Refused")
	b.do(chromedp.Click(css("#buy")))
	b.shows("#outcome", "Bought for 12 credits.")
	b.shows("#saga-summary", "PAID in ")
	time.Sleep(2 * time.Second) // the animation of the steps
	for name, scheme := range map[string]string{"console": "light", "console-dark": "dark"} {
		b.setColors(scheme)
		time.Sleep(time.Second) // the transitions of colours
		shot, err := chromedp.Run(b.Context, chromedp.CaptureScreenshot())
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".png"), shot, 0o644); err != nil {
			t.Fatal(err)
		}
	}

	b.setColors("light")
	b.do(chromedp.EmulateViewport(980, 1060), chromedp.Navigate(b.gateway+"/"))
	b.shows("#components", "stock-1\n● running")
	value[bool](b, hide+`"#demo, #receipt, nav, h1")`)
	var f film
	ended, recorded := make(chan struct{}), make(chan error, 1)
	go func() { recorded <- f.record(b, ended) }()
	time.Sleep(time.Second)
	value[bool](b, `(document.getElementById("case-killed").click(), true)`)
	b.shows("#saga-steps", "Waits for")
	b.shows("#outcome", "Bought for")
	b.shows("#saga-summary", "PAID in ")
	b.shows("#state", "All services are healthy.")
	time.Sleep(2 * time.Second)
	close(ended)
	if err := <-recorded; err != nil {
		t.Fatal(err)
	}
	f.save(t, filepath.Join(dir, "recovery.gif"))
}

// setColors selects light or dark colours. Unlike setDark, it keeps the animations.
func (b *browser) setColors(scheme string) {
	b.t.Helper()
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "no-preference"}}})
}
