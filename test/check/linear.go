package check

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearizeTimeout limits the time to check one history.
const linearizeTimeout = 2 * time.Second

// orderState is a state of the model of an order. The model has no RUNNING, ABORTING or REFUNDING: see visibleState.
type orderState struct {
	state string // OPEN, PAID, CANCELLED, or GONE
	lines string // pieces by item, formatted by joinLines
}

// operation is a request, or the final state of the order.
type operation struct {
	Request
	duringCheckout bool             // an attempt may have been RUNNING during the request
	state          string           // final state of the order, if the kind is finalState
	lines          map[string]int64 // final lines of the order, if the kind is finalState
}

// Linearizable reports whether the history is linearizable: whether every request can have taken effect atomically, at
// some moment between request and response. A request with an unknown outcome may take effect at any later moment, or
// never. The state in the snapshot counts as the response to a final read. If the search timed out, known is false.
func (h *History) Linearizable(sn *Snapshot) (linear, known bool) {
	h.mu.Lock()
	requests := h.requests()
	h.mu.Unlock()
	last := operation{Request: Request{Kind: finalState}, state: "GONE"}
	o, exists := sn.Orders[h.Order]
	if exists {
		last.state, last.lines = o.State, o.Lines
	}
	done := func(Request) effect { return maybeApplied }
	if exists {
		done = effects(requests, o.Lines)
	}
	events := make([]porcupine.Operation, 0, len(requests)+1)
	for i, t := range requests {
		if t.Status == http.StatusTooManyRequests || t.Unknown() && (t.Kind == findOrder || t.Kind == paymentStatus) {
			continue // the request had no effect, and the response does not depend on the order
		}
		ended := t.Ended.UnixNano()
		if t.Unknown() {
			switch done(t) {
			case notApplied:
				continue
			case applied:
				ended = sn.taken.UnixNano() - 1
			case maybeApplied:
				ended = math.MaxInt64
			}
		}
		events = append(events,
			porcupine.Operation{ClientId: i, Input: operation{Request: t, duringCheckout: duringCheckout(t, requests)},
				Call: t.Began.UnixNano(), Return: ended})
	}
	events = append(events,
		porcupine.Operation{ClientId: len(requests), Input: last, Call: sn.taken.UnixNano(), Return: sn.taken.UnixNano() + 1})
	result := porcupine.CheckOperationsTimeout(orderModel, events, linearizeTimeout)
	return result != porcupine.Illegal, result != porcupine.Unknown
}

// Linearizable checks histories concurrently. It returns a violation for each history that is not linearizable, and the
// number of searches that timed out.
func Linearizable(histories []*History, sn *Snapshot) (violations []string, unchecked int) {
	var mu sync.Mutex
	var checking sync.WaitGroup
	queue := make(chan *History)
	for range runtime.NumCPU() {
		checking.Go(func() {
			for h := range queue {
				ok, known := h.Linearizable(sn)
				mu.Lock()
				if !known {
					unchecked++
				}
				if !ok {
					violations = append(violations, fmt.Sprintf("order %s: history is not linearizable:\n%s", h.Order, h))
				}
				mu.Unlock()
			}
		})
	}
	for _, h := range histories {
		queue <- h
	}
	close(queue)
	checking.Wait()
	return violations, unchecked
}

// effect represents whether a request with an unknown outcome took effect.
type effect int

const (
	maybeApplied effect = iota
	notApplied
	applied
)

// effects returns a function that determines whether an edit with an unknown outcome took effect. The argument lines
// has the final quantity of each item. If the unknown edits of an item are all additions or all removals, the function
// returns:
//   - notApplied if the successful edits alone explain the final quantity
//   - applied if the successful and the unknown edits together explain it
//
// Otherwise, the result is maybeApplied. Each edit with this result doubles the time of the search.
func effects(requests []Request, lines map[string]int64) func(Request) effect {
	type sums struct{ known, added, removed int64 }
	items := map[string]*sums{}
	for _, t := range requests {
		if t.Kind != addItem && t.Kind != removeItem || t.Refused() {
			continue
		}
		s := items[t.Item]
		if s == nil {
			s = &sums{}
			items[t.Item] = s
		}
		switch {
		case t.OK() && t.Kind == addItem:
			s.known += t.Quantity
		case t.OK():
			s.known -= t.Quantity
		case t.Kind == addItem:
			s.added += t.Quantity
		default:
			s.removed += t.Quantity
		}
	}
	return func(t Request) effect {
		s := items[t.Item]
		if t.Kind != addItem && t.Kind != removeItem || s.added > 0 && s.removed > 0 {
			return maybeApplied
		}
		switch lines[t.Item] {
		case s.known:
			return notApplied
		case s.known + s.added - s.removed:
			return applied
		}
		return maybeApplied
	}
}

// duringCheckout reports whether an attempt may have been RUNNING during request t: a checkout began before t ended,
// and the outcome of the checkout was not known when t began.
func duringCheckout(t Request, requests []Request) bool {
	return slices.ContainsFunc(requests, func(other Request) bool {
		return other.Kind == checkout && other.Began.Before(t.Ended) && (other.Unknown() || other.Ended.After(t.Began))
	})
}

var orderModel = porcupine.Model{
	Init: func() any { return orderState{state: "OPEN"} },
	Step: func(before, input, _ any) (bool, any) {
		after, ok := input.(operation).step(before.(orderState))
		return ok, after
	},
	DescribeOperation: func(input, _ any) string {
		e := input.(operation)
		return fmt.Sprint(e.Request, ": ", e.Response)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}

// step returns the state after an operation. It also reports whether the response is possible in the state before the
// operation.
func (e operation) step(at orderState) (orderState, bool) {
	switch {
	case e.Kind == finalState:
		return at, orderState{at.state, ""} == orderState{visibleState(e.state), ""} &&
			(at.state == "GONE" || at.lines == joinLines(e.lines))
	case e.Unknown():
		return e.apply(at), true
	case e.Response.Status == http.StatusNotFound && e.Problem() == "order-not-found":
		return at, at.state == "GONE"
	case at.state == "GONE":
		return at, false
	}
	switch e.Kind {
	case addItem, removeItem, removeOrder:
		return e.edit(at)
	case findOrder:
		f, err := e.findBody()
		return at, err == nil && e.OK() && f.matches(at, e.duringCheckout)
	case paymentStatus:
		return at, e.OK() && strings.Contains(e.Body, `"paid":true`) == (at.state == "PAID")
	case checkout:
		switch {
		case e.OK():
			return orderState{"PAID", at.lines}, at.state == "OPEN" || at.state == "PAID"
		case e.Problem() == "order-cancelled":
			return at, at.state == "CANCELLED"
		}
		return at, at.state == "OPEN"
	default: // cancel
		if e.OK() {
			return orderState{"CANCELLED", at.lines}, at.state == "PAID" || at.state == "CANCELLED"
		}
		return at, at.state == "OPEN" && e.Problem() == "nothing-paid"
	}
}

// edit implements operation.step for an edit with a known outcome.
func (e operation) edit(at orderState) (orderState, bool) {
	lines := splitLines(at.lines)
	have := lines[e.Item]
	switch e.Problem() {
	case "":
		return e.apply(at), e.OK() && at.state == "OPEN" && (e.Kind != removeItem || have >= e.Quantity)
	case "order-not-open":
		return at, at.state != "OPEN" || e.duringCheckout
	case "item-not-in-order":
		return at, e.Kind == removeItem && at.state == "OPEN" && have == 0
	case "too-few-in-order":
		return at, e.Kind == removeItem && at.state == "OPEN" && 0 < have && have < e.Quantity
	}
	return at, false
}

// apply returns the state after an operation took effect. If the operation is impossible, the result is the same state.
func (e operation) apply(at orderState) orderState {
	lines := splitLines(at.lines)
	switch {
	case e.Kind == cancel && at.state == "PAID":
		return orderState{"CANCELLED", at.lines}
	case at.state != "OPEN":
	case e.Kind == checkout:
		return orderState{"PAID", at.lines}
	case e.Kind == removeOrder:
		return orderState{"GONE", at.lines}
	case e.Kind == addItem:
		lines[e.Item] += e.Quantity
		return orderState{"OPEN", joinLines(lines)}
	case e.Kind == removeItem && lines[e.Item] >= e.Quantity:
		if lines[e.Item] -= e.Quantity; lines[e.Item] == 0 {
			delete(lines, e.Item)
		}
		return orderState{"OPEN", joinLines(lines)}
	}
	return at
}

// matches reports whether f is a possible response to Find for an order in this state.
func (f findBody) matches(at orderState, duringCheckout bool) bool {
	lines, total := map[string]int64{}, int64(0)
	for _, line := range f.Lines {
		lines[line.Item] += line.Quantity
		total += line.Quantity * line.Price
	}
	undecided := f.Status == "RUNNING" || f.Status == "ABORTING"
	return visibleState(f.Status) == at.state && (duringCheckout || !undecided) && f.Paid == (f.Status == "PAID") &&
		f.Total == total && joinLines(lines) == at.lines
}

// visibleState maps a state of an order in Redis to a state of the model.
func visibleState(state string) string {
	switch state {
	case "RUNNING", "ABORTING":
		return "OPEN"
	case "REFUNDING":
		return "CANCELLED"
	}
	return state
}

func joinLines(lines map[string]int64) string {
	var all []string
	for _, item := range slices.Sorted(maps.Keys(lines)) {
		all = append(all, fmt.Sprintf("%s=%d", item, lines[item]))
	}
	return strings.Join(all, ";")
}

func splitLines(text string) map[string]int64 {
	lines := map[string]int64{}
	for part := range strings.SplitSeq(text, ";") {
		if item, quantity, ok := strings.Cut(part, "="); ok {
			var n int64
			fmt.Sscan(quantity, &n)
			lines[item] = n
		}
	}
	return lines
}
