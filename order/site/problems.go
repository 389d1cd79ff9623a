package site

import (
	"fmt"
	"html"
	"strings"

	"github.com/gin-gonic/gin"

	"checkout/common/api"
	"checkout/common/web"
)

// The map "advice" says what a client can do about each problem type.
var advice = map[*api.Error]string{
	api.InvalidNumber:  "Send a whole number in the range that the detail names.",
	api.BadRequest:     "Fix the request. The detail says what is wrong.",
	api.RouteNotFound:  "Compare the path with the routes in the API documentation. An ID is one segment of the path.",
	api.WrongMethod:    "Use a method from the Allow header.",
	api.TooLarge:       "Send no body, or one of at most 64 KiB. No route needs one.",
	api.URITooLong:     "Send a request line of at most 8 KiB.",
	api.HeadersTooLong: "Send header lines of at most 8 KiB, and at most 16 KiB in total (32 KiB if the lines are short).",
	api.Overloaded:     "Nothing began. Retry after the seconds in the Retry-After header.",
	api.Unavailable: "The outcome is unknown. Retry a checkout, a cancellation, a payment for an order, batch_init, or " +
		"a write with an Idempotency-Key as often as necessary. Before any other write, read the state first.",
	api.KeyMalformed:   "Send one Idempotency-Key of 1 to 255 printable characters, such as a UUID.",
	api.KeyReused:      "Use a new Idempotency-Key for each new request.",
	api.BatchDisabled:  "Create objects one by one, or set BATCH_INIT=1 on the instances.",
	api.ListsDisabled:  "Read objects one by one, or set LISTS=1 on the instances.",
	api.ForeignOrigin:  "Use the pages of this server, or ask the operator to add your origin to CORS_ORIGINS.",
	api.UnknownHost:    "Use the name or address of this server, or ask the operator to add the name to ALLOWED_HOSTS.",
	api.BatchUndecided: "Some orders may be new and others old. Retry when the checkouts of these orders are decided.",

	api.BatchReserved: "Retry when the checkout is decided. That takes at most 30 s after every shard is available.",
	api.BatchRunning:  "Retry when the other batch_init has ended.",
	api.KeysExhausted: "Nothing was done. Retry later with the same key. Keys expire after 24 hours; an operator can " +
		"raise IDEMPOTENCY_KEY_LIMIT.",

	api.OrderNotFound:  "Check the order's ID. A removed order no longer exists.",
	api.OrderNotOpen:   "The detail names the order's status. Only an OPEN order can be changed or paid.",
	api.OrderCancelled: "A cancelled order stays cancelled. Create a new order.",
	api.PaidDirectly: "Nothing was taken. To check the order out, cancel the payment first: POST " +
		"/payment/cancel/{user_id}/{order_id}.",
	api.AttemptClosed:  "Nothing was taken. Retry the checkout.",
	api.ItemNotInOrder: "Check the item's ID, and the order's lines.",
	api.TooFewInOrder:  "Remove at most as many pieces as the order holds.",
	api.CartFull:       "Split the order. An order holds up to 1,000 items and 10,000 pieces.",

	api.ItemNotFound:      "Check the item's ID.",
	api.InsufficientStock: "Nothing was taken. Order fewer pieces, or retry when there is more stock.",
	api.BalanceLimit:      "Nothing was changed. Add a smaller amount.",

	api.UserNotFound:       "Check the user's ID.",
	api.InsufficientCredit: "Nothing was taken. Add funds, and retry. With an Idempotency-Key, use a new one.",
	api.PaidByCheckout:     "Nothing was taken. The order needs no other payment.",
	api.PaymentDiffers:     "Send the amount that was paid for the order, or cancel the payment first.",
	api.PaymentCancelled:   "A cancelled payment stays cancelled. Check the order out instead, or create a new order.",
	api.NothingPaid:        "There is nothing to refund.",
}

// Parts of the pages. The package html/template would enlarge the binary by a third, because it keeps the linker from
// removing unused methods.
const (
	problemContent = `    <p>%s</p>
    <dl>
      <div><dt>Status</dt><dd>%d</dd></div>
      <div><dt>Type</dt><dd><code>%s</code></dd></div>
      <div><dt>What to do</dt><dd>%s</dd></div>
    </dl>
`
	listContent = `    <p>The body of every error response has a <code>type</code>. Each type has a page:</p>
    <table><caption>Problem types</caption>
      <thead><tr><th scope="col">Type</th><th scope="col" class="n">Status</th><th scope="col">Title</th></tr></thead>
      <tbody>
%s      </tbody></table>
`
	listRow = `        <tr><td><a href="%s">%[1]s</a></td><td class="n">%d</td><td>%s</td></tr>
`
)

// addProblems adds a page for each problem type, and a page that lists them.
func addProblems(r gin.IRouter, policy string) {
	layout, err := files.ReadFile("problem.html")
	if err != nil {
		panic(err) // the file is not embedded
	}
	add := func(route, heading, current, content string) {
		page := strings.NewReplacer("{{heading}}", heading, "{{current}}", current, "{{content}}", content)
		f := newFile("problem.html", []byte(page.Replace(string(layout))))
		f.policy = policy
		r.GET(Prefix+route, f.send)
	}
	var rows strings.Builder
	for _, e := range api.Errors() {
		title, status := html.EscapeString(e.Title), web.Status(e)
		fmt.Fprintf(&rows, listRow, e.Type(), status, title)
		add(e.Type(), e.Name, "", fmt.Sprintf(problemContent, title, status, e.Type(), html.EscapeString(advice[e])))
	}
	add("/problems", "Problems", ` aria-current="page"`, fmt.Sprintf(listContent, rows.String()))
}
