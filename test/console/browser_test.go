// Package console tests the pages that people look at, in a real Chromium, against a real system.
package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
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

// within bounds each test; it only ends one that hangs.
const within = 2 * time.Minute

// browser is a page in a Chromium of its own, and what went wrong in it.
type browser struct {
	context.Context
	t       *testing.T
	gateway string

	mu       sync.Mutex
	troubles []string // errors, and requests to anybody but the gateway
}

func open(t *testing.T, gateway string) *browser {
	t.Helper()
	found, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is missing: `make deps` installs it")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("no-first-run", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, within)
	t.Cleanup(cancel)
	b := &browser{Context: ctx, t: t, gateway: gateway}
	b.do(chromedp.Navigate("about:blank"))
	err = chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			b.trouble(fmt.Sprintf("%+v", event.ExceptionDetails))
		case *log.EventEntryAdded:
			if event.Entry.Source == log.EntrySourceSecurity || event.Entry.Source == log.EntrySourceViolation {
				b.trouble(event.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if url := event.Request.URL; !strings.HasPrefix(url, gateway) && !strings.HasPrefix(url, "data:") && !strings.HasPrefix(url, "blob:") {
				b.trouble("asks " + url)
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	call(b, network.Enable, network.EnableParams{})
	call(b, log.Enable, cdp.Empty{})
	return b
}

func (b *browser) trouble(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.troubles = append(b.troubles, text)
}

// call sends a command of the browser's protocol that has no action.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.Context, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// value evaluates an expression in the page, and waits for what it promises.
func value[T any](b *browser, expression string) T {
	b.t.Helper()
	got, err := chromedp.Run(b.Context, chromedp.Evaluate[T](expression, func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return got
}

type action = chromedp.Action[chromedp.Void]

// css is a selector of one element.
type css = chromedp.CSS

func (b *browser) do(actions ...action) {
	b.t.Helper()
	if err := chromedp.Do(b.Context, actions...); err != nil {
		b.t.Fatalf("%v\nthe page shows:\n%s", err, b.text("body"))
	}
}

// text returns what an element shows; nothing if there is none.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// shows waits until an element shows a text.
func (b *browser) shows(selector, want string) {
	b.t.Helper()
	var got string
	for until := time.Now().Add(40 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		if got = b.text(selector); strings.Contains(got, want) {
			return
		}
	}
	b.t.Fatalf("%s shows %q, want %q", selector, got, want)
}

// picture keeps a screenshot in the folder that SCREENSHOTS names, for people to look at.
func (b *browser) picture(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(png) < 5000 {
		b.t.Errorf("%s is a picture of %d bytes", name, len(png))
	}
	if folder := os.Getenv("SCREENSHOTS"); folder != "" {
		if err := os.WriteFile(filepath.Join(folder, name+".png"), png, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// end fails for what went wrong in the page.
func (b *browser) end() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, trouble := range b.troubles {
		b.t.Error("the page: ", trouble)
	}
}
