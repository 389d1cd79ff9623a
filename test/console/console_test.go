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
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	cfg.Race = true
	cfg.OnExit = func(name string, err error) { t.Errorf("%s exited unexpectedly: %v", name, err) }
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

// TestConsoleShowsHealthCheckoutsAndAFailedShard checks what the console shows: healthy instances, a checkout by
// keyboard, the order found by its ID, and a stopped shard.
func TestConsoleShowsHealthCheckoutsAndAFailedShard(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 2})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "All services are healthy.")
	for _, service := range stack.Services() {
		for instance := range 2 {
			b.shows("#instances", fmt.Sprintf("%s\t%d/2\tnow\tshard 0 healthy shard 1 healthy", service, instance+1))
		}
	}

	b.do(chromedp.Focus(css("#try button")), chromedp.KeyEvent("\r"))
	b.shows("#steps", "Check out: 200 done")
	b.shows("#outcomes", "paid\t\t1")
	order := value[string](b, `document.getElementById("id").value`)
	b.do(chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", `"status": "PAID"`)
	b.shows("#found", "Order on shard "+strings.TrimLeft(order[32:35], "0")+order[35:]+" of order")
	b.checkWidth(1100)
	b.checkCaptions()
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("console")

	b.do(chromedp.SetValue(css(`#try input[name=quantity]`), "50"), chromedp.Click(css("#try button")))
	b.shows("#steps", "Check out: 402 there is not enough credit")
	b.do(chromedp.SetValue(css("#id"), "nothing"), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", "There is no order, item or user")

	b.do(chromedp.EmulateViewport(phoneWidth, 740, chromedp.EmulateMobile))
	b.setDark(true)
	b.checkWidth(phoneWidth)
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("console-phone-dark")

	if err := s.Kill("redis-stock-1"); err != nil {
		t.Fatal(err)
	}
	b.shows("#state", "shard 1 of stock is unhealthy")
	b.picture("console-shard-unhealthy")
	b.checkProblems()
}

// TestConsoleRetriesAnUndecidedOrder checks that the console shows an undecided order with its status and age, and
// retries it. The test stops a component that the order needs. When the component runs again, the test presses the
// order's button.
func TestConsoleRetriesAnUndecidedOrder(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "All services are healthy.")
	b.do(chromedp.Click(css("#try button")))
	b.shows("#steps", "Check out: 200 done")
	value[bool](b, `(async () => {
		window.send = (path) => fetch(path, { method: "POST" }).then((response) => response.json());
		window.model = await (await fetch("/orders/find/" + document.getElementById("id").value)).json();
		window.ordered = async () => { // creates an order of the same user and item
			const { order_id } = await send("/orders/create/" + model.user_id);
			await send("/orders/addItem/" + order_id + "/" + model.items[0]);
			return order_id;
		};
		return true;
	})()`)
	for _, tt := range []struct{ status, order, stopped, begin, response, end string }{
		{"RUNNING", `ordered()`, "stock-1", `"/orders/checkout/" + order`, "", ""}, // the final state is PAID or OPEN
		{"REFUNDING", `ordered().then(async (id) => { await send("/orders/checkout/" + id); return id; })`, "redis-stock-0",
			`"/payment/cancel/" + model.user_id + "/" + order`, "200 done", `"status": "CANCELLED"`},
	} {
		order := value[string](b, tt.order+`.then((id) => window.order = id)`)
		if err := s.Kill(tt.stopped); err != nil {
			t.Fatal(err)
		}
		value[bool](b, `!!send(`+tt.begin+`)`) // do not wait for the response
		b.shows("#undecided", order+"\t"+tt.status+"\t")
		if row := b.text("#undecided"); !regexp.MustCompile(`\t[1-9][0-9]*\.[0-9] s\t0\t`).MatchString(row) {
			t.Errorf("the row of order %s is %q, want its age and shard", order, row)
		}
		b.picture("console-undecided-" + strings.ToLower(tt.status))
		// Keep a reference to the button: a recovery worker may decide the order first. Then the console removes
		// the row of the order.
		value[bool](b, `!!(window.button = document.querySelector("#undecided button"))`)
		ctx, cancel := context.WithTimeout(b.Context, testTimeout)
		defer cancel()
		if err := s.Start(ctx, tt.stopped); err != nil {
			t.Fatal(err)
		}
		if err := s.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
		value[bool](b, `(button.click(), true)`)
		b.shows("#retried", "Order "+order+": "+tt.response)
		b.shows("#undecided", "None.")
		b.do(chromedp.SetValue(css("#id"), order), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
		b.shows("#found", order)
		b.shows("#found", tt.end)
		b.picture("console-retried-" + strings.ToLower(tt.status))
	}
	b.checkProblems()
}

// TestReadOnlyConsoleHidesControls checks that the console shows no control that changes data if CONSOLE=0.
func TestReadOnlyConsoleHidesControls(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1, Env: map[string][]string{"order": {"CONSOLE=0"}}})
	b := open(t, s.Gateway())
	b.do(chromedp.Navigate(s.Gateway() + "/"))
	b.shows("#undecided-count", "0")
	if shown := value[int](b, `[...document.querySelectorAll(".edit")].filter((e) => e.offsetParent).length`); shown != 0 {
		t.Errorf("%d controls that change data are visible", shown)
	}
	b.checkProblems()
}

// TestDocsAreAccessibleAndTryRequests checks that the API documentation is accessible and can send requests. The test
// uses mouse and keyboard, light and dark colours, a desktop and a phone.
func TestDocsAreAccessibleAndTryRequests(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/docs"))
	b.shows("#api", "Create an order")
	b.setDark(false)
	b.shows("#api", "/stock/item/create/{price}")
	b.checkWidth(1100)
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("docs")

	b.do(chromedp.Focus(css("#operations-payment-createUser .opblock-summary-control")), chromedp.KeyEvent("\r"),
		chromedp.Focus(css("#operations-payment-createUser .execute")), chromedp.KeyEvent("\r"))
	b.shows("#operations-payment-createUser .live-responses-table", `"user_id"`)
	b.do(chromedp.Click(css("#operations-orders-findOrder .opblock-summary-control")),
		chromedp.Click(css("#operations-orders-findOrder .execute")))
	b.shows("#operations-orders-findOrder .live-responses-table", `"status": 404`)
	b.do(chromedp.Click(css("#operations-orders-removeOrder .opblock-summary-control")),
		chromedp.Click(css(".models-control")), chromedp.Click(css(".json-schema-2020-12-expand-deep-button")))
	b.checkWidth(1100)
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("docs-open")

	b.do(chromedp.EmulateViewport(phoneWidth, 740, chromedp.EmulateMobile))
	for _, dark := range []bool{false, true} {
		b.setDark(dark)
		b.checkWidth(phoneWidth)
		b.checkAccessibility()
	}
	b.checkKeyboard()
	b.picture("docs-phone-dark")
	b.checkProblems()
}
