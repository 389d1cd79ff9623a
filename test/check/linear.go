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

// linearWithin bounds the search for an order of events that explains a history.
const linearizeTimeout = 2 * time.Second

// stand is how an order stands: the state of the model. RUNNING and ABORTING are OPEN to it, REFUNDING is CANCELLED.
type orderState struct {
	state string // OPEN, PAID, CANCELLED, or GONE
	lines string // pieces by item, as lines returns them
}

// event is one request as the model sees it.
type operation struct {
	Request
	duringCheckout bool             // an attempt may have been running while it was answered
	state          string           // of observe
	lines          map[string]int64 // likewise
}

// Linear tells whether what the clients of an order were told can be told of an order that changes at once, at some
// moment between question and answer: for each answer that is missing, or says that it does not know, at some moment
// from the question on, or never. What lies in Redis at the end is the last answer. known is false if that could not be
// told in time.
func (h *History) Linearizable(sn *Snapshot) (linear, known bool) {
	h.mu.Lock()
	told := h.requests()
	h.mu.Unlock()
	last := operation{Request: Request{Kind: finalState}, state: "GONE"}
	o, there := sn.Orders[h.Order]
	if there {
		last.state, last.lines = o.State, o.Lines
	}
	done := func(Request) effect { return maybeApplied }
	if there {
		done = effects(told, o.Lines)
	}
	events := make([]porcupine.Operation, 0, len(told)+1)
	for i, t := range told {
		if t.Status == http.StatusTooManyRequests || t.Unknown() && (t.Kind == findOrder || t.Kind == paymentStatus) {
			continue // it says nothing
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
			porcupine.Operation{ClientId: i, Input: operation{Request: t, duringCheckout: duringCheckout(t, told)},
				Call: t.Began.UnixNano(), Return: ended})
	}
	events = append(events,
		porcupine.Operation{ClientId: len(told), Input: last, Call: sn.taken.UnixNano(), Return: sn.taken.UnixNano() + 1})
	result := porcupine.CheckOperationsTimeout(orderModel, events, linearizeTimeout)
	return result != porcupine.Illegal, result != porcupine.Unknown
}

// Linearizable checks histories, several at a time. It returns a violation for each that no order can have, and how
// many took too long.
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
					violations = append(violations, fmt.Sprintf("order %s: no order can have this history:\n%s", h.Order, h))
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

// fate is what became of a request whose answer is missing.
type effect int

const (
	maybeApplied effect = iota
	notApplied
	applied
)

// fates tells of unanswered edits of an order what its lines at the end tell: where all of one item's add up, all were
// done; where none are needed, none was. It spares the search, which doubles with each edit that it knows nothing of.
func effects(told []Request, lines map[string]int64) func(Request) effect {
	type sums struct{ known, added, taken int64 }
	items := map[string]*sums{}
	for _, t := range told {
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
			s.taken += t.Quantity
		}
	}
	return func(t Request) effect {
		s := items[t.Item]
		if t.Kind != addItem && t.Kind != removeItem || s.added > 0 && s.taken > 0 {
			return maybeApplied
		}
		switch lines[t.Item] {
		case s.known:
			return notApplied
		case s.known + s.added - s.taken:
			return applied
		}
		return maybeApplied
	}
}

// frozen tells whether an attempt may have been running at some moment of a request: one that was asked for before the
// request was answered, and was not answered, in words that mean something, before the request was sent.
func duringCheckout(t Request, told []Request) bool {
	return slices.ContainsFunc(told, func(other Request) bool {
		return other.Kind == checkout && other.Began.Before(t.Ended) && (other.Unknown() || other.Ended.After(t.Began))
	})
}

var orderModel = porcupine.Model{
	Init: func() any { return orderState{state: "OPEN"} },
	Step: func(before, input, _ any) (bool, any) {
		after, ok := input.(operation).step(before.(orderState))
		return ok, after
	},
	DescribeOperation: func(input,
		_ any) string {
		e := input.(operation)
		return fmt.Sprint(e.Request, ": ", e.Response)
	},
	DescribeState: func(state any) string { return fmt.Sprintf("%+v", state) },
}

// step is what an event does to an order that stands so, and whether it may be answered so.
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

// edit is an edit that was answered.
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

// perhaps is what an event does if it is done. Where it cannot be done it does nothing.
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

// agrees tells whether an order may be found so where the model has it stand so.
func (f findBody) matches(at orderState, frozen bool) bool {
	lines, total := map[string]int64{}, int64(0)
	for _, line := range f.Lines {
		lines[line.Item] += line.Quantity
		total += line.Quantity * line.Price
	}
	moving := f.Status == "RUNNING" || f.Status == "ABORTING"
	return visibleState(f.Status) == at.state && (frozen || !moving) && f.Paid == (f.Status == "PAID") &&
		f.Total == total && joinLines(lines) == at.lines
}

// settled is the model's name for a state.
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
