package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
)

// history is what the clients of one order were told, in the order of their answers.
type history struct {
	order, user string
	mu          sync.Mutex
	checkouts   []answer
	cancels     []answer
}

func (h *history) tell(list *[]answer, a answer) answer {
	h.mu.Lock()
	defer h.mu.Unlock()
	*list = append(*list, a)
	return a
}

// checkout sends a checkout and keeps its answer.
func (s *system) checkoutOf(h *history) answer { return h.tell(&h.checkouts, s.checkout(h.order)) }

// cancelOf sends a cancel and keeps its answer.
func (s *system) cancelOf(h *history) answer { return h.tell(&h.cancels, s.cancel(h.user, h.order)) }

// lies compares what clients were told with what is.
//
//   - 200 to a checkout: the order is PAID, unless somebody has cancelled it; and was so from then on.
//   - 4xx: not paid by that attempt. So an order to which only refusals were given, or none but refusals after the last unknown
//     answer, is not paid. Unless it was sent before the 200 came, a checkout of a paid order is not refused.
//   - 200 to a cancel: the order is CANCELLED. A refusal of the cancel of an order that was told to be paid is a lie.
//   - anything else: either, but decided, which the snapshot's own check tells.
func (h *history) lies(sn *snapshot) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []string
	o, ok := sn.orders[h.order]
	say := func(format string, args ...any) {
		found = append(found, fmt.Sprintf("order %s, %q: %s\n%s", h.order, o.state, fmt.Sprintf(format, args...), h.tale()))
	}
	for _, list := range [][]answer{h.checkouts, h.cancels} {
		for _, a := range list {
			if flaw := a.flaw(); flaw != "" {
				say("%s", flaw)
			}
		}
	}
	if !ok {
		say("the order is lost")
		return found
	}
	cancelled := anyOf(h.cancels, answer.ok)
	tried := cancelled || anyOf(h.cancels, answer.unknown)
	paid := anyOf(h.checkouts, answer.ok)
	switch {
	case o.state == "CANCELLED" && !tried:
		say("nobody has cancelled it")
	case cancelled && o.state != "CANCELLED":
		say("a cancel was answered 200")
	case paid && o.state != "PAID" && !(tried && o.state == "CANCELLED"):
		say("a checkout was answered 200")
	case o.state != "OPEN" && !h.mayBePaid():
		say("every checkout that could have paid it was refused")
	}
	for _, first := range h.checkouts {
		for _, a := range h.checkouts {
			if first.ok() && a.refused() && a.began.After(first.ended) && len(h.cancels) == 0 {
				say("a checkout of the paid order was refused")
			}
		}
		for _, a := range h.cancels {
			if first.ok() && a.refused() && a.began.After(first.ended) {
				say("a cancel of the paid order was refused")
			}
		}
	}
	return found
}

// mayBePaid tells whether an answer leaves open that the order is paid: a 200, or an unknown one after whose end no checkout was
// begun and refused: that refusal says that the attempt before it is closed. Being shed (429) says nothing of others.
func (h *history) mayBePaid() bool {
	return anyOf(h.checkouts, func(a answer) bool {
		return a.ok() || a.unknown() && !anyOf(h.checkouts, func(later answer) bool {
			return later.refused() && later.status != http.StatusTooManyRequests && later.began.After(a.ended)
		})
	})
}

// tale tells the answers, for people.
func (h *history) tale() string {
	var b strings.Builder
	for _, kind := range []struct {
		name    string
		answers []answer
	}{{"checkout", h.checkouts}, {"cancel", h.cancels}} {
		for _, a := range kind.answers {
			fmt.Fprintf(&b, "    %s from %s to %s: %v\n", kind.name, a.began.Format("05.000"), a.ended.Format("05.000"), a)
		}
	}
	return b.String()
}

func anyOf(answers []answer, is func(answer) bool) bool {
	for _, a := range answers {
		if is(a) {
			return true
		}
	}
	return false
}
