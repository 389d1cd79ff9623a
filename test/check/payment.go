package check

import (
	"fmt"
	"sync"
)

// Payment is a direct payment, for something other than an order, and the responses to it.
type Payment struct {
	User, Purpose string
	Amount        int64

	mu            sync.Mutex
	pays, cancels []Response
}

// Pay sends the payment and records the response.
func (p *Payment) Pay(c *Client) Response {
	r := c.Call("POST", fmt.Sprintf("/payment/pay/%s/%s/%d", p.User, p.Purpose, p.Amount))
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pays = append(p.pays, r)
	return r
}

// Cancel cancels the payment and records the response.
func (p *Payment) Cancel(c *Client) Response {
	r := c.Cancel(p.User, p.Purpose)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cancels = append(p.cancels, r)
	return r
}

// Violations compares the responses with the snapshot. After a 200 the payment must exist, unless a cancel may have
// refunded it. After a 200 to a cancel it must be refunded. If every attempt was refused, it must not exist.
func (p *Payment) Violations(sn *Snapshot) []string {
	amount, there := sn.Payments[p.User+" "+p.Purpose]
	var wrong string
	switch {
	case there && max(amount, -amount) != p.Amount:
		wrong = "the amount is wrong"
	case there && !anyOf(p.pays, func(r Response) bool { return !r.Refused() }):
		wrong = "every attempt to pay was refused"
	case !there && anyOf(p.pays, Response.OK):
		wrong = "a payment got 200"
	case there && amount < 0 && !anyOf(p.cancels, func(r Response) bool { return !r.Refused() }):
		wrong = "no cancel was sent or all were refused"
	case amount >= 0 && anyOf(p.cancels, Response.OK):
		wrong = "a cancel got 200"
	default:
		return nil
	}
	return []string{fmt.Sprintf("payment of %d by user %s for %s: Redis has %d: %s\n    %v\n    %v", p.Amount, p.User,
		p.Purpose, amount, wrong, p.pays, p.cancels)}
}
