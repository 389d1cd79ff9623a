package check

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

type reqs = []Request

// moment returns the time s seconds after an arbitrary start.
func moment(s int) time.Time { return time.Unix(1_700_000_000+int64(s), 0) }

// resp returns a response to a request. The request was sent at moment(from), and the response arrived at moment(to).
// The last argument is the status, optionally followed by a problem or a JSON body, such as "200", "200 {}" or
// "409 order-not-open".
func resp(from, to int, what string) Response {
	status, rest, _ := strings.Cut(what, " ")
	r := Response{Began: moment(from), Ended: moment(to), Body: rest}
	fmt.Sscan(status, &r.Status)
	if rest != "" && rest[0] != '{' {
		r.Body = fmt.Sprintf(`{"type":"/problems/%s","status":%d}`, rest, r.Status)
	}
	return r
}

func add(from, to int, quantity int64, what string) Request {
	return Request{Kind: addItem, Item: "i", Quantity: quantity, Response: resp(from, to, what)}
}

func remove(from, to int, quantity int64, what string) Request {
	return Request{Kind: removeItem, Item: "i", Quantity: quantity, Response: resp(from, to, what)}
}

func find(from, to int, status string, quantity int64) Request {
	lines := ""
	if quantity > 0 {
		lines = fmt.Sprintf(`{"item_id":"i","quantity":%d,"price":2}`, quantity)
	}
	return Request{Kind: findOrder,
		Response: resp(from, to,
			fmt.Sprintf(`200 {"status":"%s","paid":%v,"total_cost":%d,"lines":[%s]}`, status, status == "PAID", 2*quantity,
				lines))}
}

// TestLinearizable checks that Linearizable accepts possible histories and rejects each kind of contradiction.
func TestLinearizable(t *testing.T) {
	list := func(all ...Response) []Response { return all }
	for _, c := range []struct {
		name      string
		others    []Request
		checkouts []Response
		cancels   []Response
		state     string // final state of the order; "" if the order does not exist
		pieces    int64
		want      bool
	}{
		{"filled and paid", reqs{add(0, 1, 2, "200"), find(2, 3, "OPEN", 2), find(6, 7, "PAID", 2)},
			list(resp(4, 5, "200")), nil, "PAID", 2, true},
		{"an edit is lost", reqs{add(0, 1, 2, "200"), add(2, 3, 1, "200")}, nil, nil, "OPEN", 2, false},
		{"an edit takes effect twice", reqs{add(0, 1, 2, "200")}, nil, nil, "OPEN", 4, false},
		{"an edit with an unknown outcome takes effect", reqs{add(0, 1, 2, "503")}, nil, nil, "OPEN", 2, true},
		{"an edit with an unknown outcome has no effect", reqs{add(0, 1, 2, "503")}, nil, nil, "OPEN", 0, true},
		{"an edit with an unknown outcome takes effect late",
			reqs{add(0, 1, 2, "503"), find(2, 3, "OPEN", 0)}, nil, nil, "OPEN", 2, true},
		{"an edit with an unknown outcome is undone",
			reqs{add(0, 1, 2, "503"), find(2, 3, "OPEN", 2), find(4, 5, "OPEN", 0)}, nil, nil, "OPEN", 2, false},
		{"an edit takes effect before its request",
			reqs{find(0, 1, "OPEN", 2), add(2, 3, 2, "503")}, nil, nil, "OPEN", 2, false},
		{"an addition and a removal with unknown outcomes",
			reqs{add(0, 1, 2, "200"), add(2, 3, 1, "503"), remove(4, 5, 1, "503"),
				find(6, 7, "OPEN", 2)}, nil, nil, "OPEN", 2, true},
		{"more pieces removed than in the order",
			reqs{add(0, 1, 2, "200"), remove(2, 3, 3, "200")}, nil, nil, "OPEN", 0, false},
		{"removal refused: too few pieces", reqs{add(0, 1, 2, "200"), remove(2, 3, 3, "409 too-few-in-order")},
			nil, nil, "OPEN", 2, true},
		{"removal refused although there are enough pieces",
			reqs{add(0, 1, 3, "200"), remove(2, 3, 3, "409 too-few-in-order")}, nil, nil, "OPEN", 3, false},
		{"a paid order is edited", reqs{add(0, 1, 2, "200"), add(4, 5, 1, "200")},
			list(resp(2, 3, "200")), nil, "PAID", 3, false},
		{"an edit of a paid order is refused", reqs{add(0, 1, 2, "200"), add(4, 5, 1, "409 order-not-open")},
			list(resp(2, 3, "200")), nil, "PAID", 2, true},
		{"an edit of an open order is refused", reqs{add(0, 1, 2, "409 order-not-open")}, nil, nil, "OPEN", 0, false},
		{"an edit is refused during a checkout", reqs{add(2, 3, 2, "409 order-not-open")},
			list(resp(1, 4, "402 insufficient-credit")), nil, "OPEN", 0, true},
		{"an edit is refused after an unknown checkout", reqs{add(5, 6, 2, "409 order-not-open")},
			list(resp(1, 4, "503")), nil, "OPEN", 0, true},
		{"an edit is refused after a refused checkout", reqs{add(5, 6, 2, "409 order-not-open")},
			list(resp(1, 4, "402 insufficient-credit")), nil, "OPEN", 0, false},
		{"refused, but paid", nil, list(resp(0, 1, "402 insufficient-credit")), nil, "PAID", 0, false},
		{"unknown, then refused, then paid",
			nil, list(resp(0, 1, "503"), resp(2, 3, "402 insufficient-credit")), nil, "PAID", 0, true},
		{"paid, then refused", nil, list(resp(0, 1, "200"), resp(2, 3, "409 insufficient-stock")), nil, "PAID", 0, false},
		{"200, but not paid", nil, list(resp(0, 1, "200")), nil, "OPEN", 0, false},
		{"Find returns OPEN after the payment", reqs{find(2, 3, "OPEN", 0)}, list(resp(0, 1, "200")), nil, "PAID", 0, false},
		{"Find returns RUNNING without a checkout", reqs{find(0, 1, "RUNNING", 0)}, nil, nil, "OPEN", 0, false},
		{"cancelled",
			reqs{find(4, 5, "CANCELLED", 0)}, list(resp(0, 1, "200")), list(resp(2, 3, "200")), "CANCELLED", 0, true},
		{"Find returns REFUNDING during a cancel",
			reqs{find(4, 5, "REFUNDING", 0)}, list(resp(0, 1, "200")), list(resp(2, 6, "200")), "CANCELLED", 0, true},
		{"a refused cancel takes effect later",
			nil, list(resp(4, 5, "200")), list(resp(0, 3, "409 nothing-paid")), "CANCELLED", 0, false},
		{"a cancel of an order that was not paid", nil, nil, list(resp(0, 1, "200")), "OPEN", 0, false},
		{"a checkout gets 200 after a cancel",
			nil, list(resp(0, 1, "200"), resp(4, 5, "200")), list(resp(2, 3, "200")), "CANCELLED", 0, false},
		{"the payment status is correct", reqs{{Kind: paymentStatus, Response: resp(2, 3, `200 {"paid":true}`)}},
			list(resp(0, 1, "200")), nil, "PAID", 0, true},
		{"the payment status is wrong", reqs{{Kind: paymentStatus, Response: resp(2, 3, `200 {"paid":false}`)}},
			list(resp(0, 1, "200")), nil, "PAID", 0, false},
		{"removed", reqs{{Kind: removeOrder, Response: resp(0, 1, "200")},
			add(2, 3, 1, "404 order-not-found")}, nil, nil, "", 0, true},
		{"removed, but still stored", reqs{{Kind: removeOrder, Response: resp(0, 1, "200")}}, nil, nil, "OPEN", 0, false},
		{"removed without a request", nil, nil, nil, "", 0, false},
		{"shed", reqs{add(0, 1, 1, "429 overloaded")}, list(resp(0, 1, "429 overloaded")), nil, "OPEN", 0, true},
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
				t.Errorf("linearizable: got %v, known %v; want %v, known true\n%s", linear, known, c.want, h)
			}
		})
	}
}
