package check

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// History is the requests about one order, in the order of their responses.
type History struct {
	Order, User string
	mu          sync.Mutex
	Checkouts   []Response
	Cancels     []Response
	Requests    []Request
}

// Checkout sends a checkout of the order and records the response.
func (h *History) Checkout(c *Client) Response { return h.record(&h.Checkouts, c.Checkout(h.Order)) }

// Cancel sends a cancel of the order and records the response.
func (h *History) Cancel(c *Client) Response { return h.record(&h.Cancels, c.Cancel(h.User, h.Order)) }

func (h *History) record(list *[]Response, a Response) Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	*list = append(*list, a)
	return a
}

// Violations compares the responses with the snapshot.
//
//   - 200 to a checkout: the order is PAID from then on, unless a client cancelled it. A later checkout is not refused.
//   - 4xx to a checkout: this attempt did not pay. The order is not PAID if every checkout was refused, or every
//     checkout after the last unknown response.
//   - 200 to a cancel: the order is CANCELLED. A cancel that is sent after the 200 to a checkout is not refused.
//   - anything else: paid or not, but decided. Snapshot.Violations checks that.
func (h *History) Violations(sn *Snapshot) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	o, ok := sn.Orders[h.Order]
	report := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("order %s, %q: %s\n%s", h.Order, o.State, fmt.Sprintf(format, args...), h.String()))
	}
	for _, t := range h.requests() {
		if violation := t.FormatViolation(); violation != "" {
			report("%s", violation)
		}
	}
	if !ok {
		if !slices.ContainsFunc(h.Requests, func(t Request) bool { return t.Kind == removeOrder && !t.Refused() }) {
			report("the order is lost")
		}
		return found
	}
	cancelled := anyOf(h.Cancels, Response.OK)
	tried := cancelled || anyOf(h.Cancels, Response.Unknown)
	paid := anyOf(h.Checkouts, Response.OK)
	switch {
	case o.State == "CANCELLED" && !tried:
		report("no cancel was sent or all were refused")
	case cancelled && o.State != "CANCELLED":
		report("a cancel got 200")
	case paid && o.State != "PAID" && !(tried && o.State == "CANCELLED"):
		report("a checkout got 200")
	case o.State != "OPEN" && !h.mayBePaid():
		report("every checkout that could have paid the order was refused")
	}
	for _, first := range h.Checkouts {
		for _, a := range h.Checkouts {
			if first.OK() && a.Refused() && a.Began.After(first.Ended) && len(h.Cancels) == 0 {
				report("a checkout of the paid order was refused")
			}
		}
		for _, a := range h.Cancels {
			if first.OK() && a.Refused() && a.Began.After(first.Ended) {
				report("a cancel of the paid order was refused")
			}
		}
	}
	return found
}

// mayBePaid reports whether the order may be paid: after a 200, or after an unknown response that no refused checkout
// follows. A refusal means that earlier attempts are closed; a 429 does not.
func (h *History) mayBePaid() bool {
	return anyOf(h.Checkouts, func(a Response) bool {
		return a.OK() || a.Unknown() && !anyOf(h.Checkouts, func(later Response) bool {
			return later.Refused() && later.Status != http.StatusTooManyRequests && later.Began.After(a.Ended)
		})
	})
}

// requests returns all requests in the order in which they were sent.
func (h *History) requests() []Request {
	all := slices.Clone(h.Requests)
	for _, a := range h.Checkouts {
		all = append(all, Request{Kind: checkout, Response: a})
	}
	for _, a := range h.Cancels {
		all = append(all, Request{Kind: cancel, Response: a})
	}
	slices.SortStableFunc(all, func(a, b Request) int { return a.Began.Compare(b.Began) })
	return all
}

// String lists the requests and their responses.
func (h *History) String() string {
	var b strings.Builder
	for _, t := range h.requests() {
		fmt.Fprintf(&b, "    %v from %s to %s: %v\n", t, t.Began.Format("05.000"), t.Ended.Format("05.000"), t.Response)
	}
	return b.String()
}

func anyOf(responses []Response, is func(Response) bool) bool {
	for _, a := range responses {
		if is(a) {
			return true
		}
	}
	return false
}
