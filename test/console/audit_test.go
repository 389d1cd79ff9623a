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

// phone is a screen as narrow as phones still have.
const phone = 360

var (
	axeOnce sync.Once
	axeText string
)

// axe is the program that judges pages by WCAG 2.2: names, roles, labels, headings, landmarks, contrast.
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
		t.Fatal(axeCore + " could not be fetched")
	}
	return axeText
}

// accessible has axe judge the page as it is shown now. What axe cannot decide is a flaw too: nobody else looks at it.
func (b *browser) accessible() {
	b.t.Helper()
	if !value[bool](b, `"axe" in window`) {
		value[bool](b, axe(b.t)+"; true")
	}
	b.report(`(async () => {
		const found = await axe.run(document, { resultTypes: ["violations", "incomplete"] });
		return [...found.violations, ...found.incomplete].flatMap((rule) => rule.nodes.map((node) =>
			rule.id + ": " + node.html.slice(0, 200) + ": " + [...node.any, ...node.all, ...node.none].map((check) => check.message).join("; ")));
	})()`)
}

// fits checks that a page needs no scrolling sideways on a screen of this width. A phone would show it smaller instead, so that it is
// not the width of the window that counts.
func (b *browser) fits(width int) {
	b.t.Helper()
	if got := value[int](b, `document.documentElement.scrollWidth`); got > width {
		b.t.Errorf("the page is %d px wide on a screen of %d", got, width)
	}
}

// keys goes through the page with the tab key: everything that can be used is reached, and it is seen where one is. What is not told
// to those who hear the page need not be reached.
func (b *browser) keys() {
	b.t.Helper()
	stops := value[int](b, `(() => {
		window.unreached = new Set([...document.querySelectorAll("a[href], button, input, select, textarea, [tabindex='0']")]
			.filter((e) => e.checkVisibility() && !e.disabled && !e.closest("[aria-hidden=true]")));
		window.unseen = [];
		addEventListener("focusin", ({ target }) => {
			unreached.delete(target);
			const { outlineStyle, outlineWidth } = getComputedStyle(target);
			if (outlineStyle === "none" || parseFloat(outlineWidth) < 2) unseen.push(target);
		});
		document.activeElement.blur();
		return unreached.size;
	})()`)
	const around = 5 // the way from where the focus was, past the end of the page
	for range 2 {
		b.do(chromedp.KeyEvent(strings.Repeat("\t", stops+around)))
	}
	b.report(`[...unreached].map((e) => "not reached by keys: " + e.outerHTML.slice(0, 200)).concat(
		[...new Set(unseen)].map((e) => "not seen when reached: " + e.outerHTML.slice(0, 200)))`)
}

// captions checks that each table says what it is of.
func (b *browser) captions() {
	b.t.Helper()
	b.report(`[...document.querySelectorAll("table")].filter((t) => !t.caption || !t.querySelector("th[scope]")).map((t) => "a table without caption or heads: " + t.outerHTML.slice(0, 200))`)
}

// report takes an expression for a list of flaws.
func (b *browser) report(expression string) {
	b.t.Helper()
	for _, flaw := range value[[]string](b, expression) {
		b.t.Error(flaw)
	}
}

// dark has the page drawn as for people who have chosen dark colours, or light ones, and want nothing to move; and sees that it is.
func (b *browser) dark(on bool) {
	b.t.Helper()
	scheme := "light"
	if on {
		scheme = "dark"
	}
	call(b, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"}}})
	brightness := value[int](b, `new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(() => drawn(Number(getComputedStyle(document.body).backgroundColor.match(/\d+/)[0])))))`)
	if brightness < 128 != on {
		b.t.Errorf("with %s colours the page's own is of brightness %d of 255", scheme, brightness)
	}
}
