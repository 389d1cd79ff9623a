// Package console tests the web pages with a real Chromium and a real system.
package console

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

// testTimeout limits the duration of a test. A test normally takes much less.
const testTimeout = 2 * time.Minute

// browser is a Chromium process that shows one page.
type browser struct {
	context.Context
	t       *testing.T
	gateway string

	mu       sync.Mutex
	problems []string // script errors, security violations, and requests to other hosts
}

func open(t *testing.T, gateway string) *browser {
	t.Helper()
	found, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("chromium is not installed: run `make deps`")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()))
	for _, flag := range []string{
		"disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(stop)
	ctx, end := chromedp.NewContext(allocator)
	t.Cleanup(end)
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	t.Cleanup(cancel)
	b := &browser{Context: ctx, t: t, gateway: gateway}
	b.do(chromedp.Navigate("about:blank"))
	err = chromedp.Listen(ctx, func(event any) {
		switch event := event.(type) {
		case *runtime.EventExceptionThrown:
			b.addProblem(fmt.Sprintf("%+v", event.ExceptionDetails))
		case *log.EventEntryAdded:
			if event.Entry.Source == log.EntrySourceSecurity || event.Entry.Source == log.EntrySourceViolation {
				b.addProblem(event.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			url := event.Request.URL
			own := func(prefix string) bool { return strings.HasPrefix(url, prefix) }
			if !slices.ContainsFunc([]string{gateway, "data:", "blob:"}, own) {
				b.addProblem("request to " + url)
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

func (b *browser) addProblem(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.problems = append(b.problems, text)
}

// call sends a DevTools command for which chromedp has no action.
func call[P, R any](b *browser, command cdp.Command[P, R], params P) {
	b.t.Helper()
	if _, err := chromedp.Call(b.Context, command, params); err != nil {
		b.t.Fatal(err)
	}
}

// value evaluates an expression in the page. If the result is a promise, value waits for it.
func value[T any](b *browser, expression string) T {
	b.t.Helper()
	await := func(p *runtime.EvaluateParams) { p.AwaitPromise = new(true) }
	got, err := chromedp.Run(b.Context, chromedp.Evaluate[T](expression, await))
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

// text returns the visible text of an element, or "" if there is no such element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// shows waits until the visible text of an element contains want.
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

// picture takes a screenshot. If SCREENSHOTS is set, it stores the screenshot in that directory.
func (b *browser) picture(name string) {
	b.t.Helper()
	png, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatal(err)
	}
	if len(png) < 5000 {
		b.t.Errorf("screenshot %s has only %d bytes", name, len(png))
	}
	if dir := os.Getenv("SCREENSHOTS"); dir != "" {
		if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
			b.t.Fatal(err)
		}
	}
}

// checkProblems reports the problems of the page as test failures.
func (b *browser) checkProblems() {
	b.t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, problem := range b.problems {
		b.t.Error("page: ", problem)
	}
}
