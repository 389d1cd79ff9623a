package check

import (
	"fmt"
	"sync"
)

// Payment is a direct payment for a purpose that is not an order. It records the responses to its requests.
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

// Violations lists contradictions between the responses and the snapshot. The rules are:
//
//   - A payment in the snapshot has the amount p.Amount, negative if it is refunded.
//   - After a 200 to Pay, the payment exists.
//   - After a 200 to Cancel, the payment is refunded. If no Cancel can have succeeded, the payment is not refunded.
//   - If every Pay was refused, the payment does not exist.
func (p *Payment) Violations(sn *Snapshot) []string {
	amount, exists := sn.Payments[p.User+" "+p.Purpose]
	var violation string
	switch {
	case exists && max(amount, -amount) != p.Amount:
		violation = "the amount is wrong"
	case exists && !anyOf(p.pays, func(r Response) bool { return !r.Refused() }):
		violation = "every payment was refused"
	case !exists && anyOf(p.pays, Response.OK):
		violation = "a payment got 200"
	case exists && amount < 0 && !anyOf(p.cancels, func(r Response) bool { return !r.Refused() }):
		violation = "no cancel was sent or all were refused"
	case amount >= 0 && anyOf(p.cancels, Response.OK):
		violation = "a cancel got 200"
	default:
		return nil
	}
	return []string{fmt.Sprintf("payment of %d by user %s for %s: %d in Redis: %s\n    payments: %v\n    cancels: %v",
		p.Amount, p.User, p.Purpose, amount, violation, p.pays, p.cancels)}
}
