// Package console tests the web pages with a real Chromium and a real system.
package console

import (
	"context"
	"errors"
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
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

const hangMargin = time.Minute

// browser is a window of Chromium that shows one page. Each window has its own cookies, storage and cache.
type browser struct {
	// The deadline of Context is hangMargin before the -timeout of the test binary, so that a failure names the step
	// that hangs. The deadline is not earlier, because a busy host can make Chromium many times slower.
	context.Context
	window  context.Context // has no deadline
	t       *testing.T
	gateway string
	demo    string // URL of the control port of CONSOLE=demo, which the page may use; empty: none

	mu       sync.Mutex
	problems []string // script errors, security violations, and requests to other hosts
}

// chromium starts the process that shows the windows of all tests. TestMain ends the process.
var chromium = sync.OnceValues(func() (context.Context, error) {
	found, err := exec.LookPath("chromium")
	if err != nil {
		return nil, errors.New("chromium is not installed: run `make deps`")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(found), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.ModifyCmdFunc(keepPriority))
	for _, flag := range []string{
		"disable-quic", "no-first-run", "disable-background-networking", "disable-component-update", "disable-sync",
	} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, end := chromedp.NewContext(allocator)
	atEnd(func() { end(); stop() })
	return ctx, chromedp.Do(ctx)
})

// keepPriority drops the capability to raise priorities. If Chromium runs as root with this capability, it raises its
// own priority, and the tests that run at the same time get no processor time.
func keepPriority(chromium *exec.Cmd) {
	if os.Geteuid() == 0 {
		chromium.Args = slices.Concat([]string{"setpriv", "--bounding-set=-sys_nice", chromium.Path}, chromium.Args[1:])
		chromium.Path = "/usr/bin/setpriv"
	}
}

func open(t *testing.T, gateway string) *browser {
	t.Helper()
	process, err := chromium()
	if err != nil {
		t.Fatal(err)
	}
	b := &browser{t: t, gateway: gateway}
	window, end := chromedp.NewContext(process, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.listen))
	t.Cleanup(end)
	if err := chromedp.Do(window); err != nil {
		t.Fatal(err)
	}
	b.window, b.Context = window, window
	if deadline, ok := t.Deadline(); ok {
		limited, cancel := context.WithDeadline(window, deadline.Add(-hangMargin))
		t.Cleanup(cancel)
		b.Context = limited
	}
	return b
}

func (b *browser) listen(event any) {
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
		if !slices.ContainsFunc([]string{b.gateway, "data:", "blob:"}, own) && (b.demo == "" || !own(b.demo)) {
			b.addProblem("request to " + url)
		}
	}
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
		ctx, cancel := context.WithTimeout(b.window, 10*time.Second) // b.Context may have ended
		defer cancel()
		text, textErr := chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
		if textErr != nil {
			text = textErr.Error()
		}
		b.t.Fatalf("%v\nthe page shows:\n%s", err, text)
	}
}

// clickSlowly clicks an element with the mouse, as slowly as a person: between press and release, the page draws
// several times. The click has no effect if the page replaces the element meanwhile. If the page moves the element,
// clickSlowly clicks again.
func (b *browser) clickSlowly(selector string) {
	b.t.Helper()
	centre := fmt.Sprintf(`(() => {
		const { x, y, width, height } = document.querySelector(%q).getBoundingClientRect();
		return [x + width / 2, y + height / 2];
	})()`, selector)
	b.do(chromedp.ScrollIntoView(css(selector)))
	for moved := true; moved; {
		at := value[[2]float64](b, centre)
		mouse := func(event input.DispatchMouseEventType) {
			b.do(chromedp.MouseEvent(event, at[0], at[1], chromedp.ButtonLeft, chromedp.ClickCount(1)))
		}
		mouse(input.DispatchMouseEventTypeMousePressed)
		time.Sleep(time.Second)
		moved = at != value[[2]float64](b, centre)
		mouse(input.DispatchMouseEventTypeMouseReleased)
	}
}

// text returns the visible text of an element, or "" if there is no such element.
func (b *browser) text(selector string) string {
	b.t.Helper()
	return value[string](b, fmt.Sprintf(`document.querySelector(%q)?.innerText ?? ""`, selector))
}

// shows waits until the visible text of an element contains one of the wanted texts.
func (b *browser) shows(selector string, want ...string) {
	b.t.Helper()
	var got string
	for until := time.Now().Add(40 * time.Second); time.Now().Before(until); time.Sleep(100 * time.Millisecond) {
		got = b.text(selector)
		if slices.ContainsFunc(want, func(text string) bool { return strings.Contains(got, text) }) {
			return
		}
	}
	b.t.Fatalf("%s shows %q, want one of %q", selector, got, want)
}

// picture stores a screenshot in the directory that SCREENSHOTS names. Without SCREENSHOTS it does nothing, because a
// screenshot takes much longer than a check.
func (b *browser) picture(name string) {
	b.t.Helper()
	dir := os.Getenv("SCREENSHOTS")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(b.Context, chromedp.FullScreenshot(100))
	if err != nil {
		b.t.Fatalf("screenshot %s: %v", name, err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		b.t.Fatal(err)
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
