package check

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/anishathalye/porcupine"
)

// linearWithin bounds the search for an order of events that explains a history.
const linearWithin = 2 * time.Second

// stand is how an order stands: the state of the model. RUNNING and ABORTING are OPEN to it, REFUNDING is CANCELLED.
type stand struct {
	state string // OPEN, PAID, CANCELLED, or GONE
	lines string // pieces by item, as lines returns them
}

// event is one request as the model sees it.
type event struct {
	Told
	frozen bool             // an attempt may have been running while it was answered
	state  string           // of observe
	lines  map[string]int64 // likewise
}

// Linear tells whether what the clients of an order were told can be told of an order that changes at once, at some moment between
// question and answer: for each answer that is missing, or says that it does not know, at some moment from the question on, or
// never. What lies in Redis at the end is the last answer. known is false if that could not be told in time.
func (h *History) Linear(sn *Snapshot) (linear, known bool) {
	h.mu.Lock()
	told := h.told()
	h.mu.Unlock()
	last := event{Told: Told{Kind: observe}, state: "GONE"}
	o, there := sn.Orders[h.Order]
	if there {
		last.state, last.lines = o.State, o.Lines
	}
	done := func(Told) fate { return perhaps }
	if there {
		done = fates(told, o.Lines)
	}
	events := make([]porcupine.Operation, 0, len(told)+1)
	for i, t := range told {
		if t.Status == http.StatusTooManyRequests || t.Unknown() && (t.Kind == Find || t.Kind == Status) {
			continue // it says nothing
		}
		ended := t.Ended.UnixNano()
		if t.Unknown() {
			switch done(t) {
			case never:
				continue
			case surely:
				ended = sn.now.UnixNano() - 1
			case perhaps:
				ended = math.MaxInt64
			}
		}
		events = append(events, porcupine.Operation{ClientId: i, Input: event{Told: t, frozen: frozen(t, told)}, Call: t.Began.UnixNano(), Return: ended})
	}
	events = append(events, porcupine.Operation{ClientId: len(told), Input: last, Call: sn.now.UnixNano(), Return: sn.now.UnixNano() + 1})
	result := porcupine.CheckOperationsTimeout(orderModel, events, linearWithin)
	return result != porcupine.Illegal, result != porcupine.Unknown
}

// fate is what became of a request whose answer is missing.
type fate int

const (
	perhaps fate = iota
	never
	surely
)

// fates tells of unanswered edits of an order what its lines at the end tell: where all of one item's add up, all were done; where
// none are needed, none was. It spares the search, which doubles with each edit that it knows nothing of.
func fates(told []Told, lines map[string]int64) func(Told) fate {
	type sums struct{ known, added, taken int64 }
	items := map[string]*sums{}
	for _, t := range told {
		if t.Kind != Add && t.Kind != Take || t.Refused() {
			continue
		}
		s := items[t.Item]
		if s == nil {
			s = &sums{}
			items[t.Item] = s
		}
		switch {
		case t.OK() && t.Kind == Add:
			s.known += t.Quantity
		case t.OK():
			s.known -= t.Quantity
		case t.Kind == Add:
			s.added += t.Quantity
		default:
			s.taken += t.Quantity
		}
	}
	return func(t Told) fate {
		s := items[t.Item]
		if t.Kind != Add && t.Kind != Take || s.added > 0 && s.taken > 0 {
			return perhaps
		}
		switch lines[t.Item] {
		case s.known:
			return never
		case s.known + s.added - s.taken:
			return surely
		}
		return perhaps
	}
}

// frozen tells whether an attempt may have been running at some moment of a request: one that was asked for before the request was
// answered, and was not answered, in words that mean something, before the request was sent.
func frozen(t Told, told []Told) bool {
	return slices.ContainsFunc(told, func(other Told) bool {
		return other.Kind == checkout && other.Began.Before(t.Ended) && (other.Unknown() || other.Ended.After(t.Began))
	})
}

var orderModel = porcupine.Model{
	Init: func() any { return stand{state: "OPEN"} },
	Step: func(before, input, _ any) (bool, any) {
		after, ok := input.(event).step(before.(stand))
		return ok, after
	},
	DescribeOperation: func(input, _ any) string { e := input.(event); return fmt.Sprint(e.Told, ": ", e.Answer) },
	DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
}

// step is what an event does to an order that stands so, and whether it may be answered so.
func (e event) step(at stand) (stand, bool) {
	switch {
	case e.Kind == observe:
		return at, stand{at.state, ""} == stand{settled(e.state), ""} && (at.state == "GONE" || at.lines == joinLines(e.lines))
	case e.Unknown():
		return e.perhaps(at), true
	case e.Answer.Status == http.StatusNotFound && e.Problem() == "order-not-found":
		return at, at.state == "GONE"
	case at.state == "GONE":
		return at, false
	}
	switch e.Kind {
	case Add, Take, Remove:
		return e.edit(at)
	case Find:
		f, err := e.found()
		return at, err == nil && e.OK() && f.agrees(at, e.frozen)
	case Status:
		return at, e.OK() && strings.Contains(e.Body, `"paid":true`) == (at.state == "PAID")
	case checkout:
		switch {
		case e.OK():
			return stand{"PAID", at.lines}, at.state == "OPEN" || at.state == "PAID"
		case e.Problem() == "order-cancelled":
			return at, at.state == "CANCELLED"
		}
		return at, at.state == "OPEN"
	default: // cancel
		if e.OK() {
			return stand{"CANCELLED", at.lines}, at.state == "PAID" || at.state == "CANCELLED"
		}
		return at, at.state == "OPEN" && e.Problem() == "nothing-paid"
	}
}

// edit is an edit that was answered.
func (e event) edit(at stand) (stand, bool) {
	lines := splitLines(at.lines)
	have := lines[e.Item]
	switch e.Problem() {
	case "":
		return e.perhaps(at), e.OK() && at.state == "OPEN" && (e.Kind != Take || have >= e.Quantity)
	case "order-not-open":
		return at, at.state != "OPEN" || e.frozen
	case "item-not-in-order":
		return at, e.Kind == Take && at.state == "OPEN" && have == 0
	case "too-few-in-order":
		return at, e.Kind == Take && at.state == "OPEN" && 0 < have && have < e.Quantity
	}
	return at, false
}

// perhaps is what an event does if it is done. Where it cannot be done it does nothing.
func (e event) perhaps(at stand) stand {
	lines := splitLines(at.lines)
	switch {
	case e.Kind == cancel && at.state == "PAID":
		return stand{"CANCELLED", at.lines}
	case at.state != "OPEN":
	case e.Kind == checkout:
		return stand{"PAID", at.lines}
	case e.Kind == Remove:
		return stand{"GONE", at.lines}
	case e.Kind == Add:
		lines[e.Item] += e.Quantity
		return stand{"OPEN", joinLines(lines)}
	case e.Kind == Take && lines[e.Item] >= e.Quantity:
		if lines[e.Item] -= e.Quantity; lines[e.Item] == 0 {
			delete(lines, e.Item)
		}
		return stand{"OPEN", joinLines(lines)}
	}
	return at
}

// agrees tells whether an order may be found so where the model has it stand so.
func (f found) agrees(at stand, frozen bool) bool {
	lines, total := map[string]int64{}, int64(0)
	for _, line := range f.Lines {
		lines[line.Item] += line.Quantity
		total += line.Quantity * line.Price
	}
	moving := f.Status == "RUNNING" || f.Status == "ABORTING"
	return settled(f.Status) == at.state && (frozen || !moving) && f.Paid == (f.Status == "PAID") && f.Total == total && joinLines(lines) == at.lines
}

// settled is the model's name for a state.
func settled(state string) string {
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
