package console

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"checkout/test/stack"
	"checkout/test/supervise"
)

// boughtOrder is a JavaScript expression for the ID of the last order that the shop checked out.
const boughtOrder = `document.getElementById("receipt").dataset.order`

// receipt is what the page shows about a purchase, and the same data from the API.
type receipt struct {
	Order   string
	Shown   map[string][2]int // before and after the purchase, by the name of the row
	Credit  int
	Stock   []int // of each item, in the API
	Shelf   []int // of each item, on the page
	Wallet  int   // credit on the page
	Status  string
	Outcome string
	Events  int // in the history of the order
	Drawn   int // steps on the page
	Waiting bool
}

// readReceipt reads what the page shows about the last purchase, and the same numbers from the API.
func readReceipt(b *browser) receipt {
	b.t.Helper()
	return value[receipt](b, `(async () => {
		const get = async (path) => (await fetch(path)).json();
		const number = (element) => parseInt(element.innerText.replace(/[^0-9].*/, "")) || 0;
		const { user, items } = JSON.parse(sessionStorage.getItem("shop"));
		const order = `+boughtOrder+`;
		const rows = [...document.querySelectorAll("#receipt tbody tr")].map((tr) =>
			[tr.cells[0].innerText, [number(tr.cells[1]), number(tr.cells[2])]]);
		return {
			Order: order, Shown: Object.fromEntries(rows),
			Credit: (await get("/payment/find_user/" + user)).credit,
			Stock: (await Promise.all(items.map((id) => get("/stock/find/" + id)))).map((item) => item.stock),
			Shelf: items.map((_, i) => number(document.getElementById("stock-" + i))),
			Wallet: number(document.getElementById("credit")),
			Status: (await get("/orders/find/" + order)).status,
			Outcome: document.getElementById("outcome").innerText,
			Events: (await get("/orders/history/" + order)).events?.length ?? 0,
			Drawn: document.querySelectorAll("#saga-steps .mark").length,
			Waiting: document.querySelectorAll("#saga-steps .waiting").length > 0,
		};
	})()`)
}

// check compares the numbers of the page with the API. It also checks the status of the order, and how much credit the
// purchase has taken.
func (r receipt) check(t *testing.T, status string, taken int) {
	t.Helper()
	credit := r.Shown["Credit"]
	if r.Status != status || credit[0]-credit[1] != taken || credit[1] != r.Credit || r.Wallet != r.Credit {
		t.Errorf("the page and the API show %+v; want the status %s, %d credits less, and the same credit in both",
			r, status, taken)
	}
	for i, name := range []string{"teapots", "lamps", "plants"} {
		row, shown := r.Shown["Stock of "+name]
		if r.Shelf[i] != r.Stock[i] || shown && row[1] != r.Stock[i] {
			t.Errorf("the page shows the stock %v, and the receipt %v (before, after), of %s; want %d, as in the API",
				r.Shelf[i], row, name, r.Stock[i])
		}
	}
	if r.Drawn != r.Events || r.Waiting {
		t.Errorf("status %s: the page shows %d steps, waiting step: %v; want the %d steps of the history, none waiting",
			status, r.Drawn, r.Waiting, r.Events)
	}
}

// TestShopShowsEachOutcome makes a normal purchase, and each special purchase that the shop offers, such as one
// without enough credit. It compares each number on the page with the API.
func TestShopShowsEachOutcome(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#credit", "500 credits")
	if value[bool](b, `document.getElementById("demo").checkVisibility()`) {
		t.Error("without CONSOLE=demo the page shows the buttons that break things")
	}
	for _, tt := range []struct {
		button, outcome, saga, status string
		taken                         int
	}{
		{"#buy", "Bought for 12 credits.", "PAID in ", "PAID", 12},
		{"#case-poor", "Refused: there is not enough credit.", "OPEN again: refused in ", "OPEN", 0},
		{"#case-sold-out", "Refused: there is not enough stock.", "OPEN again: refused in ", "OPEN", 0},
		{"#case-twice", "Bought once: 23 credits, although the checkout was sent twice.", "PAID in ", "PAID", 23},
		{"#case-cancelled", "Bought and cancelled: everything is back.", "CANCELLED: refunded in ", "CANCELLED", 0},
	} {
		b.do(chromedp.Focus(css(tt.button)), chromedp.KeyEvent("\r"))
		b.shows("#outcome", tt.outcome)
		b.shows("#saga-summary", tt.saga)
		readReceipt(b).check(t, tt.status, tt.taken)
		b.picture("shop-" + strings.TrimPrefix(tt.button, "#"))
	}
	b.checkCaptions()
	b.checkProblems()
}

// TestBreakIt kills stock-1 through the control port during a purchase. The page must show the state of the component
// and what the order waits for. Then the test starts the component, and the order must be decided. The supervisor
// restarts no killed component, so even a slow page has time to show each state.
func TestBreakIt(t *testing.T) {
	b := openDemo(t, stack.Config{}, func(s *supervise.Supervisor) { s.KillBackoff = time.Hour })
	startAgain := func(name string) {
		t.Helper()
		b.shows("#components", name+"\n✖ killed")
		b.do(chromedp.Click(css(`#components [aria-label="Start ` + name + `"]`)))
		b.shows("#components", name+"\n● running")
	}
	b.do(chromedp.EmulateViewport(1100, 900))
	b.shows("#components", "stock-1\n● running")
	b.shows("#credit", "500 credits")
	b.shows("#case-killed", "Kill") // the shop shows the button after the page has found the control port
	b.do(chromedp.WaitVisible(css("#case-killed")), chromedp.WaitEnabled(css("#case-killed")))
	b.do(chromedp.Focus(css("#case-killed")), chromedp.KeyEvent("\r"))
	b.shows("#components", "stock-1\n✖ killed")
	b.shows("#saga-summary", ": undecided")
	b.shows("#saga-steps", "Waits for stock: ")
	b.picture("shop-killed")
	startAgain("stock-1")
	b.shows("#receipt", "Checkout: ")
	checkDecided(t, b)

	// Kill order-1 too, while it runs the checkout. Then a recovery worker or the next request decides the order.
	b.shows("#state", "All services are healthy.")
	b.do(chromedp.Focus(css("#case-killed")), chromedp.KeyEvent("\r"))
	b.shows("#saga-summary", ": undecided")
	b.do(chromedp.Click(css(`#components [aria-label="Kill order-1"]`)))
	startAgain("order-1")
	startAgain("stock-1")
	b.shows("#receipt", "Checkout: ")
	checkDecided(t, b)
	b.shows("#state", "All services are healthy.")
	b.checkAccessibility()
	b.picture("shop-recovered")
	b.do(chromedp.Click(css(`#components [data-name=payment-1] [aria-label="Pause payment-1"]`)))
	b.shows("#components", "payment-1\n❚❚ paused")
	b.do(chromedp.Click(css(`#components [data-name=payment-1] [aria-label="Resume payment-1"]`)))
	b.shows("#components", "payment-1\n● running")
	b.do(chromedp.EmulateViewport(phoneWidth, 740, chromedp.EmulateMobile))
	b.setDark(true)
	b.checkWidth(phoneWidth)
	b.checkFits()
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("shop-phone-dark")
	b.checkProblems()
}

// checkDecided checks the receipt of an order that was undecided during an outage. The order may be PAID or OPEN,
// because the checkout is aborted if the outage takes too long, for example on a busy host.
func checkDecided(t *testing.T, b *browser) {
	t.Helper()
	b.shows("#saga-summary", " in ")
	r := readReceipt(b)
	taken := map[string]int{"PAID": 12, "OPEN": 0}
	if _, ok := taken[r.Status]; !ok {
		t.Errorf("the order is %s, want PAID or OPEN", r.Status)
	}
	r.check(t, r.Status, taken[r.Status])
}

// openDemo starts a system with a control port, and opens the console. The options change the supervisor.
func openDemo(t *testing.T, cfg stack.Config, options ...func(*supervise.Supervisor)) *browser {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	cfg.Env = map[string][]string{"": {"CONSOLE=demo"}}
	supervisor, err := supervise.New(ctx, &cfg, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for _, option := range options {
		option(supervisor)
	}
	s, err := stack.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); supervisor.Run(s) }()
	t.Cleanup(func() { cancel(); <-ended; s.End(t) })
	if err := waitReady(s); err != nil {
		t.Fatal(err)
	}
	b := open(t, s.Gateway())
	b.demo = supervisor.URL()
	b.do(chromedp.Navigate(s.Gateway() + "/"))
	return b
}
