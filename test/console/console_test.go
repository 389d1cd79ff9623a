package console

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"checkout/test/stack"
)

func start(t *testing.T, cfg stack.Config) *stack.Stack {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	cfg.Race = true
	cfg.OnExit = func(name string, err error) { t.Errorf("%s ended by itself: %v", name, err) }
	s, err := stack.Start(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := s.WaitReady(ctx); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestConsole is a visit: the system is seen alive, an order is bought by keyboard, found again, and a shard is seen to die.
func TestConsole(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 2})
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
	b.fits(1100)
	b.captions()
	b.accessible()
	b.keys()
	b.picture("console")

	b.do(chromedp.SetValue(css(`#try input[name=pieces]`), "50"), chromedp.Click(css("#try button")))
	b.shows("#steps", "Checked out: 402 there is not enough credit")
	b.do(chromedp.SetValue(css("#id"), "nothing"), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", "There is no order, item or user")

	b.do(chromedp.EmulateViewport(phone, 740, chromedp.EmulateMobile))
	b.dark(true)
	b.fits(phone)
	b.accessible()
	b.keys()
	b.picture("console-phone-dark")

	if err := s.Kill("redis-stock-1"); err != nil {
		t.Fatal(err)
	}
	b.shows("#state", "shard 1 of stock is down")
	b.picture("console-shard-down")
	b.end()
}

// TestRetry: an order that needs a part which is away stays undecided, and is shown with its state and age; when the part is back,
// its button sends it again.
func TestRetry(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "Everything answers.")
	b.do(chromedp.Click(css("#try button")))
	b.shows("#steps", "Checked out: 200 done")
	value[bool](b, `(async () => {
		window.send = (path) => fetch(path, { method: "POST" }).then((answer) => answer.json());
		window.like = await (await fetch("/orders/find/" + document.getElementById("id").value)).json();
		window.ordered = async () => { // an order like the one that was tried
			const { order_id } = await send("/orders/create/" + like.user_id);
			await send("/orders/addItem/" + order_id + "/" + like.items[0]);
			return order_id;
		};
		return true;
	})()`)
	for _, tt := range []struct{ state, order, away, begin, answer, end string }{
		{"RUNNING", `ordered()`, "stock-1", `"/orders/checkout/" + order`, "", ""}, // paid or given up, as it happens
		{"REFUNDING", `ordered().then(async (id) => { await send("/orders/checkout/" + id); return id; })`, "redis-stock-0",
			`"/payment/cancel/" + like.user_id + "/" + order`, "200 done", `"status": "CANCELLED"`},
	} {
		order := value[string](b, tt.order+`.then((id) => window.order = id)`)
		if err := s.Kill(tt.away); err != nil {
			t.Fatal(err)
		}
		value[bool](b, `!!send(`+tt.begin+`)`) // which is not waited for
		b.shows("#undecided", order+"\t"+tt.state+"\t")
		if row := b.text("#undecided"); !regexp.MustCompile(`\t[1-9][0-9]*\.[0-9] s\t0\t`).MatchString(row) {
			t.Errorf("%s is shown as %q, without its age and shard", order, row)
		}
		b.picture("console-undecided-" + strings.ToLower(tt.state))
		value[bool](b, `!!(window.again = document.querySelector("#undecided button"))`) // a worker may end the order first, and its line goes
		ctx, cancel := context.WithTimeout(b.Context, within)
		defer cancel()
		if err := s.Start(ctx, tt.away); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		value[bool](b, `(again.click(), true)`)
		b.shows("#sent", "Order "+order+": "+tt.answer)
		b.shows("#undecided", "None.")
		b.do(chromedp.SetValue(css("#id"), order), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
		b.shows("#found", order)
		b.shows("#found", tt.end)
		b.picture("console-retried-" + strings.ToLower(tt.state))
	}
	b.end()
}

// TestReadOnly: where the console is not to change anything, it offers nothing of the kind.
func TestReadOnly(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1, Env: map[string][]string{"order": {"CONSOLE=0"}}})
	b := open(t, s.Gateway())
	b.do(chromedp.Navigate(s.Gateway() + "/"))
	b.shows("#waiting", "0")
	if shown := value[int](b, `[...document.querySelectorAll(".edit")].filter((e) => e.offsetParent).length`); shown != 0 {
		t.Errorf("%d things to change something with are shown", shown)
	}
	b.end()
}

// TestDocs: the description can be read and a request tried by mouse and keys, in light and in the dark, on a phone as well.
func TestDocs(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/docs"))
	b.shows("#api", "Make an order")
	b.dark(false)
	b.shows("#api", "/stock/item/create/{price}")
	b.fits(1100)
	b.accessible()
	b.keys()
	b.picture("docs")

	b.do(chromedp.Focus(css("#operations-payment-createUser .opblock-summary-control")), chromedp.KeyEvent("\r"),
		chromedp.Focus(css("#operations-payment-createUser .execute")), chromedp.KeyEvent("\r"))
	b.shows("#operations-payment-createUser .live-responses-table", `"user_id"`)
	b.do(chromedp.Click(css("#operations-orders-findOrder .opblock-summary-control")),
		chromedp.Click(css("#operations-orders-findOrder .execute")))
	b.shows("#operations-orders-findOrder .live-responses-table", `"status": 404`)
	b.do(chromedp.Click(css("#operations-orders-removeOrder .opblock-summary-control")),
		chromedp.Click(css(".models-control")), chromedp.Click(css(".json-schema-2020-12-expand-deep-button")))
	b.fits(1100)
	b.accessible()
	b.keys()
	b.picture("docs-open")

	b.do(chromedp.EmulateViewport(phone, 740, chromedp.EmulateMobile))
	for _, on := range []bool{false, true} {
		b.dark(on)
		b.fits(phone)
		b.accessible()
	}
	b.keys()
	b.picture("docs-phone-dark")
	b.end()
}
