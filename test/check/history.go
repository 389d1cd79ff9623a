package check

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// History contains the requests for one order and their responses. Each list is sorted by the time of the response.
type History struct {
	Order, User string
	mu          sync.Mutex
	Checkouts   []Response
	Cancels     []Response
	Requests    []Request // all other requests
}

// Checkout sends a checkout of the order and records the response.
func (h *History) Checkout(c *Client) Response { return h.record(&h.Checkouts, c.Checkout(h.Order)) }

// PaidTimes returns the times of the 200 responses to checkouts. It may be called while clients send requests.
func (h *History) PaidTimes() (times []time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, r := range h.Checkouts {
		if r.OK() {
			times = append(times, r.Ended)
		}
	}
	return times
}

// Cancel sends a cancel of the order and records the response.
func (h *History) Cancel(c *Client) Response { return h.record(&h.Cancels, c.Cancel(h.User, h.Order)) }

func (h *History) record(list *[]Response, r Response) Response {
	h.mu.Lock()
	defer h.mu.Unlock()
	*list = append(*list, r)
	return r
}

// Violations lists contradictions between the responses, and between the responses and the snapshot. The rules are:
//
//   - Every response has the common format.
//   - The order exists, unless a request to remove it may have succeeded.
//   - After a 200 to a checkout, the order is PAID, or CANCELLED if a cancel may have succeeded. Without a cancel, a
//     checkout that is sent after the 200 is not refused.
//   - If no checkout can have paid the order, the order is OPEN. See mayBePaid.
//   - After a 200 to a cancel, the order is CANCELLED. If no cancel can have succeeded, the order is not CANCELLED.
//   - A cancel that is sent after the 200 to a checkout is not refused.
//
// Snapshot.Violations checks that no order is undecided.
func (h *History) Violations(sn *Snapshot) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var violations []string
	o, ok := sn.Orders[h.Order]
	report := func(format string, args ...any) {
		violations = append(violations,
			fmt.Sprintf("order %s, state %q: %s\n%s", h.Order, o.State, fmt.Sprintf(format, args...), h))
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
		return violations
	}
	cancelled := anyOf(h.Cancels, Response.OK)
	cancelSent := cancelled || anyOf(h.Cancels, Response.Unknown)
	paid := anyOf(h.Checkouts, Response.OK)
	switch {
	case o.State == "CANCELLED" && !cancelSent:
		report("no cancel was sent or all were refused")
	case cancelled && o.State != "CANCELLED":
		report("a cancel got 200")
	case paid && o.State != "PAID" && !(cancelSent && o.State == "CANCELLED"):
		report("a checkout got 200")
	case o.State != "OPEN" && !h.mayBePaid():
		report("every checkout that could have paid the order was refused")
	}
	for _, first := range h.Checkouts {
		for _, r := range h.Checkouts {
			if first.OK() && r.Refused() && r.Began.After(first.Ended) && len(h.Cancels) == 0 {
				report("a checkout of the paid order was refused")
			}
		}
		for _, r := range h.Cancels {
			if first.OK() && r.Refused() && r.Began.After(first.Ended) {
				report("a cancel of the paid order was refused")
			}
		}
	}
	return violations
}

// mayBePaid reports whether a checkout may have paid the order. One of these must be true:
//   - A checkout got 200.
//   - A checkout got an unknown response (neither 200 nor 4xx), and no checkout that was sent after this response was
//     refused. A refusal is a 4xx other than 429, and means that earlier attempts are closed.
func (h *History) mayBePaid() bool {
	return anyOf(h.Checkouts, func(r Response) bool {
		return r.OK() || r.Unknown() && !anyOf(h.Checkouts, func(later Response) bool {
			return later.Refused() && later.Status != http.StatusTooManyRequests && later.Began.After(r.Ended)
		})
	})
}

// requests returns all requests in the order in which they were sent.
func (h *History) requests() []Request {
	all := slices.Clone(h.Requests)
	for _, r := range h.Checkouts {
		all = append(all, Request{Kind: checkout, Response: r})
	}
	for _, r := range h.Cancels {
		all = append(all, Request{Kind: cancel, Response: r})
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
	for _, r := range responses {
		if is(r) {
			return true
		}
	}
	return false
}
