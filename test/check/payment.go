package check

import (
	"fmt"
	"sync"
)

// Payment is what a client paid by hand for something, and what he was told.
type Payment struct {
	User, Purpose string
	Amount        int64

	mu            sync.Mutex
	pays, cancels []Response
}

// Pay sends the payment and keeps its answer.
func (p *Payment) Pay(c *Client) Response {
	a := c.Call("POST", fmt.Sprintf("/payment/pay/%s/%s/%d", p.User, p.Purpose, p.Amount))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pays = append(p.pays, a)
	return a
}

// Cancel asks for it back and keeps the answer.
func (p *Payment) Cancel(c *Client) Response {
	a := c.Cancel(p.User, p.Purpose)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancels = append(p.cancels, a)
	return a
}

// Lies compares what the client was told with what is: 200 to the payment: it is there, unless it may have been cancelled; 200 to its
// cancel: it was given back; nothing but refusals: it is not there.
func (p *Payment) Violations(sn *Snapshot) []string {
	amount, there := sn.Payments[p.User+" "+p.Purpose]
	var lie string
	switch {
	case there && max(amount, -amount) != p.Amount:
		lie = "it is of another amount"
	case there && !anyOf(p.pays, func(a Response) bool { return !a.Refused() }):
		lie = "every attempt to pay was refused"
	case !there && anyOf(p.pays, Response.OK):
		lie = "it was answered 200"
	case there && amount < 0 && !anyOf(p.cancels, func(a Response) bool { return !a.Refused() }):
		lie = "nobody has cancelled it"
	case amount >= 0 && anyOf(p.cancels, Response.OK):
		lie = "its cancel was answered 200"
	default:
		return nil
	}
	return []string{fmt.Sprintf("the payment of %d by user %s for %s is %d: %s\n    %v\n    %v", p.Amount, p.User, p.Purpose, amount, lie, p.pays, p.cancels)}
}
