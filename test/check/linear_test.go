package check

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// moments are a clock of seconds for hand-made histories.
func moment(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0) }

// said is an answer from second to second: "200", "503", or "409 problem", and a body after a third word.
func said(from, to int, what string) Answer {
	status, rest, _ := strings.Cut(what, " ")
	a := Answer{Began: moment(from), Ended: moment(to), Body: rest}
	fmt.Sscan(status, &a.Status)
	if rest != "" && rest[0] != '{' {
		a.Body = fmt.Sprintf(`{"type":"/problems/%s","status":%d}`, rest, a.Status)
	}
	return a
}

func add(from, to int, quantity int64, what string) Told {
	return Told{Kind: Add, Item: "i", Quantity: quantity, Answer: said(from, to, what)}
}

func take(from, to int, quantity int64, what string) Told {
	return Told{Kind: Take, Item: "i", Quantity: quantity, Answer: said(from, to, what)}
}

func look(from, to int, status string, quantity int64) Told {
	lines := ""
	if quantity > 0 {
		lines = fmt.Sprintf(`{"item_id":"i","quantity":%d,"price":2}`, quantity)
	}
	return Told{Kind: Find, Answer: said(from, to, fmt.Sprintf(`200 {"status":"%s","paid":%v,"total_cost":%d,"lines":[%s]}`, status, status == "PAID", 2*quantity, lines))}
}

// TestLinear shows which histories of an order can be explained, and that each lie makes one that cannot.
func TestLinear(t *testing.T) {
	checkouts := func(list ...Answer) []Answer { return list }
	for _, c := range []struct {
		name      string
		others    []Told
		checkouts []Answer
		cancels   []Answer
		state     string // at the end
		pieces    int64
		want      bool
	}{
		{"filled and paid", []Told{add(0, 1, 2, "200"), look(2, 3, "OPEN", 2), look(6, 7, "PAID", 2)}, checkouts(said(4, 5, "200")), nil, "PAID", 2, true},
		{"an edit is lost", []Told{add(0, 1, 2, "200"), add(2, 3, 1, "200")}, nil, nil, "OPEN", 2, false},
		{"an edit is done twice", []Told{add(0, 1, 2, "200")}, nil, nil, "OPEN", 4, false},
		{"an unanswered edit is done", []Told{add(0, 1, 2, "503")}, nil, nil, "OPEN", 2, true},
		{"or is not", []Told{add(0, 1, 2, "503")}, nil, nil, "OPEN", 0, true},
		{"or is done late", []Told{add(0, 1, 2, "503"), look(2, 3, "OPEN", 0)}, nil, nil, "OPEN", 2, true},
		{"but not undone", []Told{add(0, 1, 2, "503"), look(2, 3, "OPEN", 2), look(4, 5, "OPEN", 0)}, nil, nil, "OPEN", 2, false},
		{"nor before it was asked", []Told{look(0, 1, "OPEN", 2), add(2, 3, 2, "503")}, nil, nil, "OPEN", 2, false},
		{"unanswered both ways", []Told{add(0, 1, 2, "200"), add(2, 3, 1, "503"), take(4, 5, 1, "503"), look(6, 7, "OPEN", 2)}, nil, nil, "OPEN", 2, true},
		{"more is taken than there is", []Told{add(0, 1, 2, "200"), take(2, 3, 3, "200")}, nil, nil, "OPEN", 0, false},
		{"too few, and it says so", []Told{add(0, 1, 2, "200"), take(2, 3, 3, "409 too-few-in-order")}, nil, nil, "OPEN", 2, true},
		{"too few, and there are enough", []Told{add(0, 1, 3, "200"), take(2, 3, 3, "409 too-few-in-order")}, nil, nil, "OPEN", 3, false},
		{"an edit of a paid order", []Told{add(0, 1, 2, "200"), add(4, 5, 1, "200")}, checkouts(said(2, 3, "200")), nil, "PAID", 3, false},
		{"is refused", []Told{add(0, 1, 2, "200"), add(4, 5, 1, "409 order-not-open")}, checkouts(said(2, 3, "200")), nil, "PAID", 2, true},
		{"an open order is frozen", []Told{add(0, 1, 2, "409 order-not-open")}, nil, nil, "OPEN", 0, false},
		{"while it is checked out", []Told{add(2, 3, 2, "409 order-not-open")}, checkouts(said(1, 4, "402 insufficient-credit")), nil, "OPEN", 0, true},
		{"or may be", []Told{add(5, 6, 2, "409 order-not-open")}, checkouts(said(1, 4, "503")), nil, "OPEN", 0, true},
		{"not after", []Told{add(5, 6, 2, "409 order-not-open")}, checkouts(said(1, 4, "402 insufficient-credit")), nil, "OPEN", 0, false},
		{"refused, and paid", nil, checkouts(said(0, 1, "402 insufficient-credit")), nil, "PAID", 0, false},
		{"unknown, refused, and paid", nil, checkouts(said(0, 1, "503"), said(2, 3, "402 insufficient-credit")), nil, "PAID", 0, true},
		{"paid, and refused", nil, checkouts(said(0, 1, "200"), said(2, 3, "409 insufficient-stock")), nil, "PAID", 0, false},
		{"paid, and it is not", nil, checkouts(said(0, 1, "200")), nil, "OPEN", 0, false},
		{"paid, and found open", []Told{look(2, 3, "OPEN", 0)}, checkouts(said(0, 1, "200")), nil, "PAID", 0, false},
		{"running while nobody checks it out", []Told{look(0, 1, "RUNNING", 0)}, nil, nil, "OPEN", 0, false},
		{"cancelled", []Told{look(4, 5, "CANCELLED", 0)}, checkouts(said(0, 1, "200")), checkouts(said(2, 3, "200")), "CANCELLED", 0, true},
		{"on the way back", []Told{look(4, 5, "REFUNDING", 0)}, checkouts(said(0, 1, "200")), checkouts(said(2, 6, "200")), "CANCELLED", 0, true},
		{"a refused cancel is done later", nil, checkouts(said(4, 5, "200")), checkouts(said(0, 3, "409 nothing-paid")), "CANCELLED", 0, false},
		{"a cancel of nothing", nil, nil, checkouts(said(0, 1, "200")), "OPEN", 0, false},
		{"paid again after its cancel", nil, checkouts(said(0, 1, "200"), said(4, 5, "200")), checkouts(said(2, 3, "200")), "CANCELLED", 0, false},
		{"status", []Told{{Kind: Status, Answer: said(2, 3, `200 {"paid":true}`)}}, checkouts(said(0, 1, "200")), nil, "PAID", 0, true},
		{"a wrong status", []Told{{Kind: Status, Answer: said(2, 3, `200 {"paid":false}`)}}, checkouts(said(0, 1, "200")), nil, "PAID", 0, false},
		{"removed", []Told{{Kind: Remove, Answer: said(0, 1, "200")}, add(2, 3, 1, "404 order-not-found")}, nil, nil, "", 0, true},
		{"removed, and there", []Told{{Kind: Remove, Answer: said(0, 1, "200")}}, nil, nil, "OPEN", 0, false},
		{"removed by nobody", nil, nil, nil, "", 0, false},
		{"shed", []Told{add(0, 1, 1, "429 overloaded")}, checkouts(said(0, 1, "429 overloaded")), nil, "OPEN", 0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &History{Order: "o", User: "u", Checkouts: c.checkouts, Cancels: c.cancels, Others: c.others}
			sn := &Snapshot{Orders: map[string]Order{}, now: moment(100)}
			if c.state != "" {
				lines := map[string]int64{}
				if c.pieces > 0 {
					lines["i"] = c.pieces
				}
				sn.Orders["o"] = Order{State: c.state, Lines: lines}
			}
			if linear, known := h.Linear(sn); linear != c.want || !known {
				t.Errorf("linear: %v, known: %v, want %v\n%s", linear, known, c.want, h.Tale())
			}
		})
	}
}
