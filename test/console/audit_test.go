package console

import (
	"os"
	"path/filepath"
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

// axe returns the script of axe-core. The script checks a page against WCAG 2.2, for example its names, roles, labels,
// headings, landmarks and contrast.
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

// checkAccessibility runs axe on the current page. An incomplete check counts as a failure. axe skips text in drawings,
// because it cannot determine the background. checkDrawings checks the contrast of this text.
func (b *browser) checkAccessibility() {
	b.t.Helper()
	if !value[bool](b, `"axe" in window`) {
		value[bool](b, axe(b.t)+"; true")
	}
	b.report(`(async () => {
		// An element that fades in has too little contrast until its animation ends.
		const ending = document.getAnimations().filter((a) => Number.isFinite(a.effect.getComputedTiming().endTime));
		await Promise.allSettled(ending.map((a) => a.finished));
		const found = await axe.run({ exclude: "svg text" }, { resultTypes: ["violations", "incomplete"] });
		const messages = (node) => [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ");
		return [...found.violations, ...found.incomplete].flatMap((rule) => rule.nodes.map((node) =>
			rule.id + ": " + node.html.slice(0, 200) + ": " + messages(node)));
	})()`)
	b.checkDrawings()
}

// checkDrawings checks that each text in a drawing has enough contrast to the filled shape behind the text, or to the
// page if there is no such shape.
func (b *browser) checkDrawings() {
	b.t.Helper()
	b.report(`(() => {
		const visible = (color) => color !== "none" && !/, 0\)$/.test(color);
		const luminance = (color) => color.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
			.map((v) => (v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4))
			.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
		const around = (outer, inner) => outer.left <= inner.left && outer.right >= inner.right &&
			outer.top <= inner.top && outer.bottom >= inner.bottom;
		const behind = (text) => {
			for (let e = text.previousElementSibling; e; e = e.previousElementSibling) {
				const { fill } = getComputedStyle(e);
				if (/^(rect|path|circle|ellipse)$/.test(e.nodeName) && visible(fill) &&
					around(e.getBoundingClientRect(), text.getBoundingClientRect())) return fill;
			}
			for (let e = text.parentElement; e; e = e.parentElement) {
				const { backgroundColor } = getComputedStyle(e);
				if (visible(backgroundColor)) return backgroundColor;
			}
			return "rgb(255, 255, 255)";
		};
		return [...document.querySelectorAll("svg text")].filter((e) => e.checkVisibility()).flatMap((text) => {
			const { fill } = getComputedStyle(text), background = behind(text);
			const [light, dark] = [luminance(fill), luminance(background)].sort((a, b) => b - a);
			const contrast = (light + .05) / (dark + .05);
			return contrast >= 4.5 ? [] :
				["contrast " + contrast.toFixed(2) + " of " + fill + " on " + background + ": " + text.outerHTML.slice(0, 200)];
		});
	})()`)
}

// checkWidth checks that the page needs no horizontal scrolling on a screen of this width. It does not read the width
// of the window: an emulated phone widens the window for a wide page.
func (b *browser) checkWidth(width int) {
	b.t.Helper()
	if got := value[int](b, `document.documentElement.scrollWidth`); got > width {
		b.t.Errorf("the page is %d px wide, want at most %d px", got, width)
	}
}

// checkFits checks that the content of each visible element is no wider than the element, so that nothing is cut off
// and no part of the page scrolls horizontally.
func (b *browser) checkFits() {
	b.t.Helper()
	b.report(`(async () => {
		const wide = () => [...document.querySelectorAll("body *")].filter((e) => e.checkVisibility() &&
			!e.closest("svg, .skip, input") && e.clientWidth > 0 && e.scrollWidth > e.clientWidth + 1);
		// After a change of the width, the page needs some time to draw.
		for (const until = performance.now() + 15000; wide().length && performance.now() < until;) {
			await new Promise((next) => setTimeout(next, 100));
		}
		return wide().map((e) =>
			e.scrollWidth + " px do not fit in " + e.clientWidth + " px: " + e.outerHTML.slice(0, 200));
	})()`)
}

// checkKeyboard checks that the Tab key reaches every control, and that each element with the focus has a visible
// outline. It ignores controls that are hidden from screen readers.
func (b *browser) checkKeyboard() {
	b.t.Helper()
	stops := value[int](b, `(() => {
		const controls = "a[href], button, input, select, textarea, [tabindex='0']";
		window.unreached = new Set([...document.querySelectorAll(controls)]
			.filter((e) => e.checkVisibility() && !e.disabled && !e.closest("[aria-hidden=true]")));
		window.unmarked = new Set();
		document.activeElement.blur();
		return unreached.size;
	})()`)
	const extra = 5 // stops that are no control, such as the page itself
	// The focus may start in the middle of the page, so press Tab for two rounds.
	for left := 2 * (stops + extra); left > 0; left-- {
		b.do(chromedp.KeyEvent("\t"))
		reached := value[bool](b, `new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => {
			const focused = document.activeElement;
			unreached.delete(focused);
			const { outlineStyle, outlineWidth } = getComputedStyle(focused);
			const marked = outlineStyle !== "none" && parseFloat(outlineWidth) >= 2;
			if (!marked && focused !== document.body) unmarked.add(focused);
			resolve(unreached.size === 0);
		})))`)
		if reached {
			break
		}
	}
	b.report(`[...unreached].map((e) => "not reachable by keyboard: " + e.outerHTML.slice(0, 200)).concat(
		[...unmarked].map((e) => "focus not visible: " + e.outerHTML.slice(0, 200)))`)
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

// setDark selects dark or light colours, disables animations, and checks the background.
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
		b.t.Errorf("%s colours: the brightness of the background is %d of 255; want less than 128 if dark, else at least 128",
			scheme, brightness)
	}
}
