package console

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"checkout/test/stack"
)

func start(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	cfg.OnExit = func(name string, err error) { t.Errorf("%s ended by itself: %v", name, err) }
	s, err := stack.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConsole is a visit: the system is seen alive, an order is bought by keyboard, found again, and a shard is seen to die.
func TestConsole(t *testing.T) {
	s := start(t, stack.Config{Machines: 2, Shards: 2})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "Everything answers.")
	for _, service := range stack.Services() {
		for machine := range 2 {
			b.shows("#machines", fmt.Sprintf("%s\t%d/2\tnow\t0 up 1 up", service, machine+1))
		}
	}

	b.do(chromedp.Focus(css("#try button")), chromedp.KeyEvent("\r"))
	b.shows("#steps", "Checked out: 200 done")
	b.shows("#outcomes", "paid\t\t1")
	order := value[string](b, `document.getElementById("id").value`)
	b.do(chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", `"status": "PAID"`)
	b.shows("#found", "Order on shard "+strings.TrimLeft(order[32:35], "0")+order[35:]+" of order")
	b.fits()
	b.contrast()
	b.picture("console")

	b.do(chromedp.SetValue(css(`#try input[name=pieces]`), "50"), chromedp.Click(css("#try button")))
	b.shows("#steps", "Checked out: 402 there is not enough credit")
	b.do(chromedp.SetValue(css("#id"), "nothing"), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", "There is no order, item or user")

	b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	b.dark(true)
	b.fits()
	b.contrast()
	b.picture("console-phone-dark")

	if err := s.Kill("redis-stock-1"); err != nil {
		t.Fatal(err)
	}
	b.shows("#state", "shard 1 of stock is down")
	b.picture("console-shard-down")
	b.end()
}

// TestRetry: an order whose participant is away stays undecided; it is shown with its state, and its button sends it again.
func TestRetry(t *testing.T) {
	s := start(t, stack.Config{Machines: 1, Shards: 1})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "Everything answers.")
	b.do(chromedp.Click(css("#try button")))
	b.shows("#steps", "Checked out: 200 done")
	order := value[string](b, `(async () => { // an order like it, checked out when the stock is away
		const old = await (await fetch("/orders/find/" + document.getElementById("id").value)).json();
		const { order_id } = await (await fetch("/orders/create/" + old.user_id, { method: "POST" })).json();
		await fetch("/orders/addItem/" + order_id + "/" + old.items[0], { method: "POST" });
		return order_id;
	})()`)
	if err := s.Kill("stock-1"); err != nil {
		t.Fatal(err)
	}
	value[bool](b, fmt.Sprintf(`!!fetch("/orders/checkout/%s", { method: "POST" })`, order)) // which is not waited for
	b.shows("#undecided", order)
	b.shows("#undecided", "RUNNING")
	b.picture("console-undecided")
	if err := s.Start(context.Background(), "stock-1"); err != nil {
		t.Fatal(err)
	}
	b.do(chromedp.Click(css("#undecided button")))
	b.shows("#state", "Order "+order+": ")
	b.shows("#undecided", "None.")
	b.end()
}

// TestReadOnly: where the console is not to change anything, it offers nothing of the kind.
func TestReadOnly(t *testing.T) {
	s := start(t, stack.Config{Machines: 1, Shards: 1, Env: map[string][]string{"order": {"CONSOLE=0"}}})
	b := open(t, s.Gateway())
	b.do(chromedp.Navigate(s.Gateway() + "/"))
	b.shows("#waiting", "0")
	if shown := value[int](b, `[...document.querySelectorAll(".edit")].filter((e) => e.offsetParent).length`); shown != 0 {
		t.Errorf("%d things to change something with are shown", shown)
	}
	b.end()
}

// TestDocs: the description can be read, on a phone and in the dark as well, and a request can be tried.
func TestDocs(t *testing.T) {
	s := start(t, stack.Config{Machines: 1, Shards: 1})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/docs"))
	b.shows("#api", "Make an order")
	b.shows("#api", "/stock/item/create/{price}")
	b.picture("docs")
	b.do(chromedp.Click(css("#operations-payment-createUser .opblock-summary-control")),
		chromedp.Click(css("#operations-payment-createUser .execute")))
	b.shows("#operations-payment-createUser .live-responses-table", `"user_id"`)
	b.do(chromedp.EmulateViewport(360, 740, chromedp.EmulateMobile))
	b.dark(true)
	b.picture("docs-phone-dark")
	b.end()
}
