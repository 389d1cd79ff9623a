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

// TestConsoleShowsHealthCheckoutsAndAFailedShard checks what the console shows: healthy instances, a checkout by
// keyboard, the order found by its ID, the numbers of the overviews, and components that stop and return.
func TestConsoleShowsHealthCheckoutsAndAFailedShard(t *testing.T) {
	s := start(t, stack.Config{Instances: 2, Shards: 2})
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "All services are healthy.")
	b.do(chromedp.Click(css("#topology summary")))
	for _, service := range stack.Services() {
		for instance := range 2 {
			b.shows("#instances", fmt.Sprintf("%s\t%d/2\tnow\tshard 0 healthy shard 1 healthy", service, instance+1))
		}
	}

	b.do(chromedp.Focus(css("#buy")), chromedp.KeyEvent("\r"))
	b.shows("#receipt", "Checkout: 200 done")
	b.shows("#outcomes", "paid\t\t1")
	order := value[string](b, boughtOrder)
	b.do(chromedp.SetValue(css("#id"), order), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", `"status": "PAID"`)
	b.shows("#found", "Order on shard "+strings.TrimLeft(order[32:35], "0")+order[35:]+" of order")
	b.checkWidth(1100)
	b.checkCaptions()
	b.checkAccessibility()
	b.checkKeyboard()
	checkNumbers(b)
	checkMerge(b)
	value[bool](b, `fetch("/orders/batch_init/25/25/25/5", { method: "POST" }).then((response) => response.ok)`)
	checkLists(b)
	b.picture("console")

	b.do(chromedp.Focus(css("#case-poor")), chromedp.KeyEvent("\r")) // not by mouse: the page may scroll before the click
	b.shows("#receipt", "Checkout: 402 there is not enough credit")
	b.do(chromedp.SetValue(css("#id"), "nothing"), chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
	b.shows("#found", "There is no order, item or user")

	b.do(chromedp.EmulateViewport(phoneWidth, 740, chromedp.EmulateMobile))
	b.setDark(true)
	b.checkWidth(phoneWidth)
	b.checkFits()
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("console-phone-dark")

	checkStates(b, s)
	b.checkProblems()
}

// TestConsoleRetriesAnUndecidedOrder checks that the console shows an undecided order with its status and age, and can
// retry the order. The test retries it twice: while a component that the order needs is dead, and after the component
// has restarted.
func TestConsoleRetriesAnUndecidedOrder(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/"))
	b.shows("#state", "All services are healthy.")
	b.do(chromedp.Click(css("#buy")))
	b.shows("#receipt", "Checkout: 200 done")
	value[bool](b, `(async () => {
		window.send = (path) => fetch(path, { method: "POST" }).then((response) => response.json());
		window.model = await (await fetch("/orders/find/" + `+boughtOrder+`)).json();
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
		// On a slow host, the attempt may be ABORTING already.
		b.shows("#undecided", order+"\t"+tt.status+"\t", order+"\tABORTING\t")
		if row := b.text("#undecided"); !regexp.MustCompile(`\t[1-9][0-9]*\.[0-9] s\t0\t`).MatchString(row) {
			t.Errorf("the row of order %s is %q, want the age and the shard of the order", order, row)
		}
		b.do(chromedp.EmulateViewport(phoneWidth, 740))
		b.checkFits()
		b.picture("console-undecided-" + strings.ToLower(tt.status))
		b.do(chromedp.EmulateViewport(1100, 900))
		const button = "#undecided td.edit button"
		b.clickSlowly(button)
		b.shows("#retried", "Order "+order+": ")
		b.do(chromedp.WaitEnabled(css(button)))
		// Keep a reference to the button, because the console removes the row if a recovery worker decides the order first.
		value[bool](b, `(window.button = document.querySelector("`+button+`"), retried.textContent = "", !!button)`)
		ctx, cancel := context.WithTimeout(b.Context, readyTimeout)
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

// TestPagesFindNoObjectForDots checks that the pages find no object with an ID such as "..". A browser removes ".."
// from the path of a request, so the request would reach another route, such as the root of a service.
func TestPagesFindNoObjectForDots(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	const sent = `performance.getEntriesByType("resource").map((e) => new URL(e.name).pathname)
		.filter((path) => /^\/[a-z]+\/([a-z]+\/)?$/.test(path)).map((path) => "the page has sent a request to " + path)`
	for id, noUser := range map[string]string{
		".": "There is no user with this ID.", "..": "There is no user with this ID.",
		"%2e%2e": "the user does not exist",
	} {
		b.do(chromedp.Navigate(s.Gateway()+"/"), chromedp.SetValue(css("#id"), id))
		b.do(chromedp.Focus(css("#id")), chromedp.KeyEvent("\r"))
		b.shows("#found", "There is no order, item or user with this ID.")
		value[bool](b, fmt.Sprintf(
			`import("/assets/lists.js").then((lists) => { lists.show("payments", %q); return true; })`, id))
		b.shows("#lists", noUser)
		value[bool](b, fmt.Sprintf(`import("/assets/saga.js").then((saga) => { saga.show(%q); return true; })`, id))
		b.shows("#saga-summary", "There is no order with this ID.")
		b.report(sent)
	}
	b.do(chromedp.Navigate(s.Gateway() + "/docs"))
	b.shows("#api", "Create an order")
	const form = "#operations-orders-findOrder"
	b.do(chromedp.Click(css(form+" .opblock-summary-control")), chromedp.WaitEnabled(css(form+" .execute")))
	value[bool](b, `(document.querySelector('`+form+` [data-param-name="order_id"] input').select(), true)`)
	b.do(chromedp.KeyEvent(".."))
	value[bool](b, `(document.activeElement.blur(), true)`) // Swagger UI reads a field when it loses the focus
	b.do(chromedp.Click(css(form + " .execute")))
	b.shows(form+" .live-responses-table", "there is no object with this ID")
	b.report(sent)
	b.checkProblems()
}

// TestReadOnlyConsoleHidesControls checks the console with CONSOLE=0. The console must show no control that
// changes data. CONSOLE=0 also disables lists and histories, so the console must request no list, and must show an
// order without its history.
func TestReadOnlyConsoleHidesControls(t *testing.T) {
	s := start(t, stack.Config{Instances: 1, Shards: 1, Env: map[string][]string{"order": {"CONSOLE=0"}}})
	b := open(t, s.Gateway())
	b.do(chromedp.Navigate(s.Gateway() + "/"))
	b.shows("#undecided-count", "0")
	if shown := value[int](b, `[...document.querySelectorAll(".edit")].filter((e) => e.offsetParent).length`); shown != 0 {
		t.Errorf("%d controls that change data are visible", shown)
	}
	const lists = `performance.getEntriesByType("resource").filter((e) => e.name.includes("/list?")).length`
	if sent := value[int](b, lists); sent != 0 {
		t.Errorf("the page has sent %d requests for lists", sent)
	}
	order := value[string](b, `(async () => {
		const post = async (path) => (await fetch(path, { method: "POST" })).json();
		const { user_id: user } = await post("/payment/create_user");
		return (await post("/orders/create/" + user)).order_id;
	})()`)
	value[bool](b, fmt.Sprintf(`import("/assets/saga.js").then((saga) => { saga.show(%q); return true; })`, order))
	b.shows("#saga-summary", "OPEN. This system keeps no history of orders.")
	b.checkProblems()
}

// TestDocsAreAccessibleAndTryRequests checks that the API documentation is accessible and can send requests. The test
// uses mouse and keyboard, light and dark colours, a desktop and a phone.
func TestDocsAreAccessibleAndTryRequests(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(s.Gateway()+"/docs"))
	b.shows("#api", "Create an order")
	b.setDark(false)
	b.shows("#api", "/stock/item/create/{price}")
	b.checkWidth(1100)
	b.picture("docs")

	b.do(chromedp.Focus(css("#operations-payment-createUser .opblock-summary-control")), chromedp.KeyEvent("\r"),
		chromedp.WaitEnabled(css("#operations-payment-createUser .execute")),
		chromedp.Focus(css("#operations-payment-createUser .execute")), chromedp.KeyEvent("\r"))
	b.shows("#operations-payment-createUser .live-responses-table", `"user_id"`)
	b.do(chromedp.Click(css("#operations-orders-findOrder .opblock-summary-control")),
		chromedp.WaitEnabled(css("#operations-orders-findOrder .execute")),
		chromedp.Click(css("#operations-orders-findOrder .execute")))
	b.shows("#operations-orders-findOrder .live-responses-table", `"status": 404`)
	b.do(chromedp.Click(css("#operations-orders-removeOrder .opblock-summary-control")),
		chromedp.Click(css(".models-control")), chromedp.Click(css(".json-schema-2020-12-expand-deep-button")))
	b.checkWidth(1100)
	b.checkAccessibility()
	b.checkKeyboard()
	b.picture("docs-open")

	b.do(chromedp.EmulateViewport(phoneWidth, 740, chromedp.EmulateMobile))
	b.setDark(true)
	b.checkWidth(phoneWidth)
	b.checkAccessibility()
	b.picture("docs-phone-dark")
	b.checkProblems()
}

// TestDocsEnableExecuteWhenReady opens an operation and clicks Execute as soon as the button exists. Swagger UI cannot
// send the request yet, so the button must be disabled. A later click must send the request.
func TestDocsEnableExecuteWhenReady(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	b.do(chromedp.Navigate(s.Gateway() + "/docs"))
	b.shows("#api", "Create an order")
	const form = "#operations-payment-createUser"
	early := value[bool](b, `new Promise((resolve) => {
		new MutationObserver((_, observer) => {
			const execute = document.querySelector("`+form+` .execute");
			if (!execute) return;
			observer.disconnect();
			resolve(!execute.disabled);
			execute.click();
		}).observe(document.body, { childList: true, subtree: true });
		document.querySelector("`+form+` .opblock-summary-control").click();
	})`)
	if early {
		t.Fatal("Execute is enabled before Swagger UI can send the request")
	}
	b.do(chromedp.WaitEnabled(css(form+" .execute")), chromedp.Click(css(form+" .execute")))
	b.shows(form+" .live-responses-table", `"user_id"`)
	b.checkProblems()
}

// TestDocsGiveEachRequestANewKey sends a form of the API documentation several times. Each request must have a new
// request ID and a new idempotency key, so that it creates another user. If the form contains a key, each request
// must have this key.
func TestDocsGiveEachRequestANewKey(t *testing.T) {
	s := sharedSystem(t)
	b := open(t, s.Gateway())
	b.do(chromedp.Navigate(s.Gateway() + "/docs"))
	b.shows("#api", "Create an order")
	const form = "#operations-payment-createUser"
	b.do(chromedp.Click(css(form+" .opblock-summary-control")), chromedp.WaitEnabled(css(form+" .execute")))
	send := func() [3]string { // the ID of the new user, the request ID and the key
		t.Helper()
		return value[[3]string](b, `(async () => {
			const sent = new Promise((resolve) => {
				const original = window.fetch;
				window.fetch = async (request, options) => {
					window.fetch = original;
					const response = await original(request, options);
					const { user_id, type } = await response.clone().json();
					const headers = new Request(request, options).headers;
					resolve([user_id || type, headers.get("X-Request-Id") || "", headers.get("Idempotency-Key") || ""]);
					return response;
				};
			});
			document.querySelector("`+form+` .execute").click();
			return sent;
		})()`)
	}
	first, second := send(), send()
	for i, name := range []string{"user ID", "request ID", "idempotency key"} {
		if len(first[i]) != 36 || len(second[i]) != 36 || first[i] == second[i] {
			t.Errorf("two requests have the %ss %q and %q, want two different UUIDs", name, first[i], second[i])
		}
	}
	key := css(form + ` [data-param-name="Idempotency-Key"] input`)
	if prefilled := value[string](b, `document.querySelector('`+string(key)+`').value`); prefilled != "" {
		t.Errorf("the field of the idempotency key contains %q, want nothing", prefilled)
	}
	b.do(chromedp.SendKeys(key, "my-key"))
	value[bool](b, `(document.activeElement.blur(), true)`) // Swagger UI reads a field when it loses the focus
	first, second = send(), send()
	if first[2] != "my-key" || second[2] != "my-key" || first[0] != second[0] {
		t.Errorf("send my-key twice: got [user ID, request ID, key] %q and %q, want the same user ID and key", first, second)
	}
	b.checkProblems()
}
