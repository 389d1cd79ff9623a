package console

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"checkout/test/npm"
)

const axeCore = "axe-core@4.14.1"

// phoneWidth is the width of a narrow phone, in CSS pixels.
const phoneWidth = 360

var (
	axeOnce sync.Once
	axeText string
)

// axe returns the script of axe-core, which checks a page against WCAG 2.2: names, roles, labels, headings, landmarks,
// contrast.
func axe(t *testing.T) string {
	t.Helper()
	axeOnce.Do(func() {
		text, err := os.ReadFile(filepath.Join(npm.Unpack(t, axeCore), "axe.min.js"))
		if err != nil {
			t.Fatal(err)
		}
		axeText = string(text)
	})
	if axeText == "" {
		t.Fatal("axe-core is missing: its download failed in an earlier test")
	}
	return axeText
}

// checkAccessibility runs axe on the current page. A rule that axe reports as incomplete counts as a failure.
func (b *browser) checkAccessibility() {
	b.t.Helper()
	if !value[bool](b, `"axe" in window`) {
		value[bool](b, axe(b.t)+"; true")
	}
	b.report(`(async () => {
		const found = await axe.run(document, { resultTypes: ["violations", "incomplete"] });
		const messages = (node) => [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
		return [...found.violations, ...found.incomplete].flatMap((rule) => rule.nodes.map((node) =>
			rule.id + ": " + node.html.slice(0, 200) + ": " + messages(node)));
	})()`)
}

// checkWidth checks that the page needs no horizontal scrolling on a screen of this width. The width is an argument,
// because an emulated phone reports a wider window for a page that is too wide.
func (b *browser) checkWidth(width int) {
	b.t.Helper()
	if got := value[int](b, `document.documentElement.scrollWidth`); got > width {
		b.t.Errorf("the page is %d px wide, want at most %d px", got, width)
	}
}

// checkKeyboard checks that the Tab key reaches every control, and that each control shows the focus. It ignores
// controls that are hidden from screen readers.
func (b *browser) checkKeyboard() {
	b.t.Helper()
	stops := value[int](b, `(() => {
		const controls = "a[href], button, input, select, textarea, [tabindex='0']";
		window.unreached = new Set([...document.querySelectorAll(controls)]
			.filter((e) => e.checkVisibility() && !e.disabled && !e.closest("[aria-hidden=true]")));
		window.unmarked = [];
		addEventListener("focusin", ({ target }) => {
			unreached.delete(target);
			const { outlineStyle, outlineWidth } = getComputedStyle(target);
			if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) unmarked.push(target);
		});
		document.activeElement.blur();
		return unreached.size;
	})()`)
	const extra = 5 // additional key presses, because the focus may start in the middle of the page
	for range 2 {
		b.do(chromedp.KeyEvent(strings.Repeat("\t", stops+extra)))
	}
	b.report(`[...unreached].map((e) => "not reachable by keyboard: " + e.outerHTML.slice(0, 200)).concat(
		[...new Set(unmarked)].map((e) => "focus not visible: " + e.outerHTML.slice(0, 200)))`)
}

// checkCaptions checks that each table has a caption and column headers.
func (b *browser) checkCaptions() {
	b.t.Helper()
	b.report(`[...document.querySelectorAll("table")].filter((t) => !t.caption || !t.querySelector("th[scope]"))
		.map((t) => "table without caption or headers: " + t.outerHTML.slice(0, 200))`)
}

// report evaluates an expression that returns a list of failures, and reports each of them.
func (b *browser) report(expression string) {
	b.t.Helper()
	for _, failure := range value[[]string](b, expression) {
		b.t.Error(failure)
	}
}

// setDark selects dark or light colours and reduced motion, and checks that the page uses them.
func (b *browser) setDark(dark bool) {
	b.t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	brightness := value[int](b, `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() =>
		resolve(Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0])))))`)
	if brightness < 128 != dark {
		b.t.Errorf("%s colours: the brightness of the background is %d of 255", scheme, brightness)
	}
}
