package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkout/common/api"
	"checkout/common/protocol"
	"checkout/common/redis"
)

// The field "h" of an order is the history of its attempts, for the console and for operators. No decision depends on
// it. The scripts that change the state of the order append events to it. To save memory, the history omits what the
// fields "a" (attempt), "by" (incarnation) and "dl" (deadline) contain: it has only earlier values of "a" and "by", and
// differences of times. So most paid orders have a history of fewer than 16 bytes.
// A longer example, "BRc12#5f6a7b8c@0b1c2d3eB60345P3,6,9", means, read from the end:
//
//	P3,6,9      paid 9 ms after the attempt began; the credit was reserved after 3 ms, the stock after 6 ms
//	B60345      the attempt began 60345 ms after the attempt before it
//	@0b1c2d3e   the events before this belong to the incarnation 0b1c2d3e
//	#5f6a7b8c   the events before this belong to the attempt whose ID starts with 5f6a7b8c
//	Rc12        refused after 12 ms, with a reason that starts with c ("credit")
//	B           the first attempt began
//
// See docs/adr/0025-history-in-the-record.md.

// historyBytes is the largest length of a history. A longer history loses its oldest events, and then starts with "!".
const historyBytes = 160

// withEvent defines the Lua function with_event, which appends an event to a history. The argument "dl" is the value of
// the field "dl" before the event. If the event changes the field "by", the arguments "by" and "new_by" are its old and
// its new value. The function with_event never fails, whatever the fields contain.
var withEvent = redis.Definition{Name: "with_event", Lua: fmt.Sprintf(
	"local function with_event(history, event, now, dl, by, new_by) "+
		"history, dl = history or '', tonumber(dl) "+
		"if history ~= '' and by and new_by and by ~= new_by then history = history .. '@' .. by end "+
		"history = history .. event .. (dl and string.format('%%.0f', now - dl + %d) or '') "+
		"if #history > %d then history = '!' .. (string.match(history, '%%u.*', #history - %d) or '') end "+
		"return history end",
	protocol.Deadline.Milliseconds(), historyBytes, historyBytes-2)}

// Event is an event of an order's history.
type Event struct {
	Kind    EventKind
	At      int64  // Unix ms by Redis TIME
	Attempt string // for earlier attempts, only the first 8 characters
	By      string // first 8 digits of the incarnation that worked on the order
	Reason  byte   // the first letter of the reason with EventRefused and EventAborting, otherwise 0
	// Credit and Stock are the times when the coordinator learned of the reservations, Unix ms; 0 if unknown. They are
	// set only with EventPaid and EventAborting.
	Credit, Stock int64
}

// EventKind is the letter of an event in the history.
type EventKind byte

// The events of a history.
const (
	EventBegin     EventKind = 'B'
	EventResume    EventKind = 'S' // another instance has resumed the attempt
	EventPaid      EventKind = 'P'
	EventRefused   EventKind = 'R'
	EventAborting  EventKind = 'A'
	EventClosed    EventKind = 'C'
	EventRefunding EventKind = 'F'
	EventCancelled EventKind = 'X'
	EventRecovery  EventKind = 'V' // a recovery worker has claimed the order
)

// History describes the attempts of an order.
type History struct {
	State, Attempt, By string
	Now                int64 // Redis TIME, Unix ms
	Began              int64 // when the last attempt or cancellation began, Unix ms by Redis TIME; 0 before the first one
	Lease              int64 // when the lease expires, Unix ms by Redis TIME; 0 without a lease
	Trace              string
	Events             []Event // oldest first
	Truncated          bool    // older events were removed
}

// History returns the history of an order.
func (s *Store) History(ctx context.Context, id string) (History, error) {
	shard, key, err := s.locate(id)
	if err != nil {
		return History{}, err
	}
	reply, err := shard.Run(ctx, historyScript, []string{key}, stateField, attemptField, byField, leaseField,
		deadlineField, traceField, historyField)
	if err != nil {
		return History{}, err
	}
	fields := reply.List(1)
	if !fields.Has(0) {
		return History{}, missing(ctx, shard, id)
	}
	h := History{
		State: fields.String(0), Attempt: fields.String(1), By: fields.String(2), Trace: fields.String(5), Now: reply.Int(0),
	}
	h.Lease, _ = strconv.ParseInt(fields.String(3), 10, 64)
	if deadline, err := strconv.ParseInt(fields.String(4), 10, 64); err == nil {
		h.Began = deadline - protocol.Deadline.Milliseconds()
	}
	h.Events, h.Truncated = parseHistory(fields.String(6), h.Attempt, h.By, h.Began)
	return h, errors.Join(reply.Err(), fields.Err())
}

// parseHistory parses the history of an order from its end. It skips unreadable parts. The arguments "attempt" and "by"
// are the attempt and the incarnation of the last events. The last attempt or cancellation began at the time "base".
func parseHistory(text, attempt, by string, base int64) (events []Event, truncated bool) {
	text, truncated = strings.CutPrefix(text, "!")
	for text != "" {
		start := max(0, strings.LastIndexFunc(text, startsPart))
		part := text[start:]
		text = text[:start]
		switch part[0] {
		case '@':
			by = part[1:]
		case '#':
			attempt = part[1:]
		default:
			event, after, ok := parseEvent(part)
			event.At, event.Attempt, event.By = base+after, attempt, by
			begins := event.Kind == EventBegin || event.Kind == EventRefunding
			if begins {
				event.At = base
				base -= after
			}
			if ok {
				events = append(events, event)
			}
		}
	}
	slices.Reverse(events)
	began := int64(0) // when the coordinator of the next events began or resumed the attempt
	for i := range events {
		e := &events[i]
		if e.Kind == EventBegin || e.Kind == EventResume {
			began = e.At
		}
		for _, at := range []*int64{&e.Credit, &e.Stock} {
			if *at >= 0 {
				*at = min(began+*at, e.At)
			} else {
				*at = 0
			}
		}
	}
	return events, truncated
}

// startsPart reports whether r begins a part of a history: an event (a capital), an attempt (#) or an incarnation (@).
func startsPart(r rune) bool { return r == '@' || r == '#' || 'A' <= r && r <= 'Z' }

// parseEvent parses an event. The result "after" is the time in ms from the previous EventBegin or EventRefunding to
// this event. For "P3,6,9", Credit is 3, Stock is 6, and "after" is 9. "Ac9" has no times of reservations, so Credit
// and Stock are -1.
func parseEvent(part string) (e Event, after int64, ok bool) {
	e = Event{Kind: EventKind(part[0]), Credit: -1, Stock: -1}
	rest := part[1:]
	switch e.Kind {
	case EventRefused, EventAborting:
		if rest != "" && 'a' <= rest[0] && rest[0] <= 'z' {
			e.Reason, rest = rest[0], rest[1:]
		}
	case EventBegin, EventResume, EventPaid, EventClosed, EventRefunding, EventCancelled, EventRecovery:
	default:
		return e, 0, false
	}
	numbers := strings.Split(rest, ",")
	if last := numbers[len(numbers)-1]; last != "" {
		var err error
		if after, err = strconv.ParseInt(last, 10, 64); err != nil || max(after, -after) > api.MaxTime {
			return e, 0, false
		}
	}
	for i, at := range []*int64{&e.Credit, &e.Stock} {
		if i < len(numbers)-1 && numbers[i] != "" {
			n, err := strconv.ParseInt(numbers[i], 10, 64)
			if err != nil || n < 0 || n > api.MaxTime {
				return e, 0, false
			}
			*at = n
		}
	}
	return e, after, true
}

// Steps has two durations: from the time when the coordinator began or resumed the attempt until it learned of each
// reservation. A duration is 0 if the coordinator learned of no reservation.
type Steps struct{ Credit, Stock time.Duration }

// String formats the steps for an event of the history.
func (s Steps) String() string {
	if s.Credit == 0 && s.Stock == 0 {
		return ""
	}
	var b []byte
	for _, step := range []time.Duration{s.Credit, s.Stock} {
		if step != 0 {
			b = strconv.AppendInt(b, milliseconds(step), 10)
		}
		b = append(b, ',')
	}
	return string(b)
}
