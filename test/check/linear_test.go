package check

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// moment returns a time, in seconds, for histories in tests.
func moment(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0) }

// response returns a response between two moments: "200", "503", or "409 problem"; a third word is the body.
func response(from, to int, what string) Response {
	status, rest, _ := strings.Cut(what, " ")
	a := Response{Began: moment(from), Ended: moment(to), Body: rest}
	fmt.Sscan(status, &a.Status)
	if rest != "" && rest[0] != '{' {
		a.Body = fmt.Sprintf(`{"type":"/problems/%s","status":%d}`, rest, a.Status)
	}
	return a
}

func addRequest(from, to int, quantity int64, what string) Request {
	return Request{Kind: addItem, Item: "i", Quantity: quantity, Response: response(from, to, what)}
}

func removeRequest(from, to int, quantity int64, what string) Request {
	return Request{Kind: removeItem, Item: "i", Quantity: quantity, Response: response(from, to, what)}
}

func findRequest(from, to int, status string, quantity int64) Request {
	lines := ""
	if quantity > 0 {
		lines = fmt.Sprintf(`{"item_id":"i","quantity":%d,"price":2}`, quantity)
	}
	return Request{Kind: findOrder,
		Response: response(from, to,
			fmt.Sprintf(`200 {"status":"%s","paid":%v,"total_cost":%d,"lines":[%s]}`, status, status == "PAID", 2*quantity,
				lines))}
}

// TestLinearizable checks that the model accepts possible histories and rejects each kind of contradiction.
func TestLinearizable(t *testing.T) {
	checkouts := func(list ...Response) []Response { return list }
	for _, c := range []struct {
		name      string
		others    []Request
		checkouts []Response
		cancels   []Response
		state     string // at the end
		pieces    int64
		want      bool
	}{
		{"filled and paid", []Request{addRequest(0, 1, 2, "200"), findRequest(2, 3, "OPEN", 2),
			findRequest(6, 7, "PAID", 2)}, checkouts(response(4, 5, "200")), nil, "PAID", 2, true},
		{"an edit is lost", []Request{addRequest(0, 1, 2, "200"), addRequest(2, 3, 1, "200")}, nil, nil, "OPEN", 2, false},
		{"an edit takes effect twice", []Request{addRequest(0, 1, 2, "200")}, nil, nil, "OPEN", 4, false},
		{"an edit with an unknown outcome takes effect", []Request{addRequest(0, 1, 2, "503")}, nil, nil, "OPEN", 2, true},
		{"or does not", []Request{addRequest(0, 1, 2, "503")}, nil, nil, "OPEN", 0, true},
		{"or takes effect late", []Request{addRequest(0, 1, 2, "503"), findRequest(2, 3, "OPEN", 0)}, nil, nil, "OPEN", 2,
			true},
		{"but is not undone", []Request{addRequest(0, 1, 2, "503"), findRequest(2, 3, "OPEN", 2),
			findRequest(4, 5, "OPEN", 0)}, nil, nil, "OPEN", 2, false},
		{"and not before its request", []Request{findRequest(0, 1, "OPEN", 2), addRequest(2, 3, 2, "503")}, nil, nil, "OPEN",
			2, false},
		{"unknown edits in both directions",
			[]Request{addRequest(0, 1, 2, "200"), addRequest(2, 3, 1, "503"), removeRequest(4, 5, 1, "503"),
				findRequest(6, 7, "OPEN", 2)}, nil, nil, "OPEN", 2, true},
		{"more is removed than there is", []Request{addRequest(0, 1, 2, "200"), removeRequest(2, 3, 3, "200")}, nil, nil,
			"OPEN", 0, false},
		{"too few to remove, refused", []Request{addRequest(0, 1, 2, "200"), removeRequest(2, 3, 3, "409 too-few-in-order")},
			nil, nil, "OPEN", 2, true},
		{"enough to remove, refused",
			[]Request{addRequest(0, 1, 3, "200"), removeRequest(2, 3, 3, "409 too-few-in-order")}, nil, nil, "OPEN", 3, false},
		{"an edit of a paid order", []Request{addRequest(0, 1, 2, "200"), addRequest(4, 5, 1, "200")},
			checkouts(response(2, 3, "200")), nil, "PAID", 3, false},
		{"a refused edit of a paid order", []Request{addRequest(0, 1, 2, "200"), addRequest(4, 5, 1, "409 order-not-open")},
			checkouts(response(2, 3, "200")), nil, "PAID", 2, true},
		{"an edit of an open order is refused", []Request{addRequest(0, 1, 2, "409 order-not-open")}, nil, nil, "OPEN", 0,
			false},
		{"an edit is refused during a checkout", []Request{addRequest(2, 3, 2, "409 order-not-open")},
			checkouts(response(1, 4, "402 insufficient-credit")), nil, "OPEN", 0, true},
		{"an edit is refused after an unknown checkout", []Request{addRequest(5, 6, 2, "409 order-not-open")},
			checkouts(response(1, 4, "503")), nil, "OPEN",
			0, true},
		{"an edit is refused after a refused checkout", []Request{addRequest(5, 6, 2, "409 order-not-open")},
			checkouts(response(1, 4, "402 insufficient-credit")), nil, "OPEN", 0, false},
		{"refused, and paid", nil, checkouts(response(0, 1, "402 insufficient-credit")), nil, "PAID", 0, false},
		{"unknown, refused, and paid", nil, checkouts(response(0, 1, "503"), response(2, 3, "402 insufficient-credit")),
			nil, "PAID", 0, true},
		{"paid, and refused", nil, checkouts(response(0, 1, "200"), response(2, 3, "409 insufficient-stock")), nil, "PAID",
			0, false},
		{"200, and not paid", nil, checkouts(response(0, 1, "200")), nil, "OPEN", 0, false},
		{"paid, and found open", []Request{findRequest(2, 3, "OPEN", 0)}, checkouts(response(0, 1, "200")), nil, "PAID", 0,
			false},
		{"running without a checkout", []Request{findRequest(0, 1, "RUNNING", 0)}, nil, nil, "OPEN", 0, false},
		{"cancelled", []Request{findRequest(4, 5, "CANCELLED", 0)}, checkouts(response(0, 1, "200")),
			checkouts(response(2, 3, "200")), "CANCELLED", 0, true},
		{"refunding during a cancel", []Request{findRequest(4, 5, "REFUNDING", 0)}, checkouts(response(0, 1, "200")),
			checkouts(response(2, 6, "200")), "CANCELLED", 0, true},
		{"a refused cancel takes effect later", nil, checkouts(response(4, 5, "200")),
			checkouts(response(0, 3, "409 nothing-paid")), "CANCELLED", 0, false},
		{"a cancel of nothing", nil, nil, checkouts(response(0, 1, "200")), "OPEN", 0, false},
		{"paid again after its cancel", nil, checkouts(response(0, 1, "200"), response(4, 5, "200")),
			checkouts(response(2, 3, "200")), "CANCELLED", 0, false},
		{"status", []Request{{Kind: paymentStatus, Response: response(2, 3, `200 {"paid":true}`)}},
			checkouts(response(0, 1, "200")), nil, "PAID", 0, true},
		{"a wrong status", []Request{{Kind: paymentStatus, Response: response(2, 3, `200 {"paid":false}`)}},
			checkouts(response(0, 1, "200")), nil, "PAID", 0, false},
		{"removed", []Request{{Kind: removeOrder, Response: response(0, 1, "200")},
			addRequest(2, 3, 1, "404 order-not-found")}, nil, nil, "", 0, true},
		{"removed and still stored", []Request{{Kind: removeOrder, Response: response(0, 1, "200")}}, nil, nil, "OPEN", 0,
			false},
		{"removed without a request", nil, nil, nil, "", 0, false},
		{"shed", []Request{addRequest(0, 1, 1, "429 overloaded")}, checkouts(response(0, 1, "429 overloaded")), nil, "OPEN",
			0, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &History{Order: "o", User: "u", Checkouts: c.checkouts, Cancels: c.cancels, Requests: c.others}
			sn := &Snapshot{Orders: map[string]Order{}, taken: moment(100)}
			if c.state != "" {
				lines := map[string]int64{}
				if c.pieces > 0 {
					lines["i"] = c.pieces
				}
				sn.Orders["o"] = Order{State: c.state, Lines: lines}
			}
			if linear, known := h.Linearizable(sn); linear != c.want || !known {
				t.Errorf("linear: %v, known: %v, want %v\n%s", linear, known, c.want, h.String())
			}
		})
	}
}
