package check

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// History is what the clients of one order were told, in the order of their answers.
type History struct {
	Order, User string
	mu          sync.Mutex
	Checkouts   []Response
	Cancels     []Response
	Requests    []Request
}

// Checkout sends a checkout of the order and keeps its answer.
func (h *History) Checkout(c *Client) Response { return h.record(&h.Checkouts, c.Checkout(h.Order)) }

// Cancel sends a cancel of the order and keeps its answer.
func (h *History) Cancel(c *Client) Response { return h.record(&h.Cancels, c.Cancel(h.User, h.Order)) }

func (h *History) record(list *[]Response, a Response) Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	*list = append(*list, a)
	return a
}

// Lies compares what clients were told with what is.
//
//   - 200 to a checkout: the order is PAID, unless somebody has cancelled it; and was so from then on.
//   - 4xx: not paid by that attempt. So an order to which only refusals were given, or none but refusals after the last unknown
//     answer, is not paid. Unless it was sent before the 200 came, a checkout of a paid order is not refused.
//   - 200 to a cancel: the order is CANCELLED. A refusal of the cancel of an order that was told to be paid is a lie.
//   - anything else: either, but decided, which the snapshot's own check tells.
func (h *History) Violations(sn *Snapshot) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	o, ok := sn.Orders[h.Order]
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("order %s, %q: %s\n%s", h.Order, o.State, fmt.Sprintf(format, args...), h.String()))
	}
	for _, t := range h.requests() {
		if flaw := t.FormatViolation(); flaw != "" {
			say("%s", flaw)
		}
	}
	if !ok {
		if !slices.ContainsFunc(h.Requests, func(t Request) bool { return t.Kind == removeOrder && !t.Refused() }) {
			say("the order is lost")
		}
		return found
	}
	cancelled := anyOf(h.Cancels, Response.OK)
	tried := cancelled || anyOf(h.Cancels, Response.Unknown)
	paid := anyOf(h.Checkouts, Response.OK)
	switch {
	case o.State == "CANCELLED" && !tried:
		say("nobody has cancelled it")
	case cancelled && o.State != "CANCELLED":
		say("a cancel was answered 200")
	case paid && o.State != "PAID" && !(tried && o.State == "CANCELLED"):
		say("a checkout was answered 200")
	case o.State != "OPEN" && !h.mayBePaid():
		say("every checkout that could have paid it was refused")
	}
	for _, first := range h.Checkouts {
		for _, a := range h.Checkouts {
			if first.OK() && a.Refused() && a.Began.After(first.Ended) && len(h.Cancels) == 0 {
				say("a checkout of the paid order was refused")
			}
		}
		for _, a := range h.Cancels {
			if first.OK() && a.Refused() && a.Began.After(first.Ended) {
				say("a cancel of the paid order was refused")
			}
		}
	}
	return found
}

// mayBePaid tells whether an answer leaves open that the order is paid: a 200, or an unknown one after whose end no checkout was
// begun and refused: that refusal says that the attempt before it is closed. Being shed (429) says nothing of others.
func (h *History) mayBePaid() bool {
	return anyOf(h.Checkouts, func(a Response) bool {
		return a.OK() || a.Unknown() && !anyOf(h.Checkouts, func(later Response) bool {
			return later.Refused() && later.Status != http.StatusTooManyRequests && later.Began.After(a.Ended)
		})
	})
}

// told is all that was asked and answered, by the time of asking.
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

// Tale tells the answers, for people.
func (h *History) String() string {
	var b strings.Builder
	for _, t := range h.requests() {
		fmt.Fprintf(&b, "    %v from %s to %s: %v\n", t, t.Began.Format("05.000"), t.Ended.Format("05.000"), t.Response)
	}
	return b.String()
}

func anyOf(answers []Response, is func(Response) bool) bool {
	for _, a := range answers {
		if is(a) {
			return true
		}
	}
	return false
}
