package model

import (
	"fmt"
	"testing"
)

// This file models direct payments during checkouts of the same order. A direct payment has three steps: start_payment,
// a request to the order service, and pay_order. Two requests pay, and two attempts check the order out. No step is
// required to happen, which covers crashes and lost replies. Payments in progress may expire at any time.

// Values of directState.payment.
const (
	unpaid = iota
	paidDirectly
	inProgress // plus the index, in directState.pays, of the request that has started the payment
)

// directState is a state of the system.
type directState struct {
	payment int8 // unpaid, paidDirectly, or inProgress + i
	expired bool // the payment in progress has expired
	order   int8 // 0 OPEN, 1 RUNNING, 2 ABORTING, 3 PAID
	current int8 // the order's current attempt; 0: none
	began   int8 // number of attempts that have begun
	// reserved is the record of each attempt on the payment shard: 0 none, 1 RESERVED, 2 REFUSED, 3 RELEASED.
	reserved [2]int8
	pays     [2]pay
}

// pay is a request for a direct payment.
type pay struct {
	step  int8 // 0 new, 1 start_payment has run, 2 the order was found OPEN, 3 ended with 200, 4 ended without a charge
	token int8 // the payment in progress that the request has started or joined
}

// directRules are the rules of the protocol. A mutation turns one rule off. The names of the mutations in the test say
// what happens without each rule.
type directRules struct {
	reserveWaits, reserveRefuses, reserveDeletes, asksOrder, needsToken bool
}

// next returns all states that one step from s can reach.
func (r directRules) next(s directState) (all []directState) {
	add := func(change func(*directState)) {
		t := s
		change(&t)
		all = append(all, t)
	}
	if s.payment >= inProgress && !s.expired {
		add(func(t *directState) { t.expired = true })
	}
	if s.payment >= inProgress && s.expired { // the clock of the shard is set back
		add(func(t *directState) { t.expired = false })
	}
	if s.payment == paidDirectly {
		add(func(t *directState) { t.payment = unpaid }) // cancel_payment
	}
	for i := range s.pays {
		p := s.pays[i]
		switch p.step {
		case 0:
			add(func(t *directState) {
				t.pays[i].step = 1
				switch {
				case s.payment == paidDirectly:
					t.pays[i].step = 3
				case s.payment >= inProgress && !s.expired:
					t.pays[i].token = s.payment // joins the payment in progress
				default:
					t.payment, t.expired, t.pays[i].token = int8(inProgress+i), false, int8(inProgress+i)
				}
			})
		case 1:
			if s.order == 0 || !r.asksOrder {
				add(func(t *directState) { t.pays[i].step = 2 })
			} else { // stop_payment
				add(func(t *directState) {
					t.pays[i].step = 4
					if s.payment == p.token {
						t.payment, t.expired = unpaid, false
					}
				})
			}
		case 2:
			valid := s.payment == p.token || !r.needsToken && s.payment != paidDirectly
			if valid { // pay_order also checks the time, but safety does not need this check
				add(func(t *directState) { t.payment, t.expired, t.pays[i].step = paidDirectly, false, 3 })
			} else {
				add(func(t *directState) { t.pays[i].step = 4 })
			}
		}
	}
	if s.order == 0 && int(s.began) < len(s.reserved) {
		add(func(t *directState) { t.began, t.current, t.order = s.began+1, s.began+1, 1 })
	}
	for a := range s.reserved {
		if int(s.began) <= a {
			continue
		}
		current := int(s.current) == a+1
		if s.reserved[a] == 0 { // reserve, which may arrive late; the script checks the record first
			switch {
			case s.payment == paidDirectly && r.reserveRefuses:
				add(func(t *directState) { t.reserved[a] = 2 })
			case s.payment >= inProgress && !s.expired && r.reserveWaits: // returns UNKNOWN; the coordinator retries
			default:
				add(func(t *directState) {
					t.reserved[a] = 1
					if s.payment >= inProgress && s.expired && r.reserveDeletes {
						t.payment, t.expired = unpaid, false
					}
				})
			}
		}
		if !current {
			continue
		}
		switch s.order {
		case 1:
			add(func(t *directState) { t.order = 2 }) // abort
			if s.reserved[a] == 1 {
				add(func(t *directState) { t.order = 3 }) // commit
			}
			if s.reserved[a] == 2 {
				add(func(t *directState) { t.order = 0 }) // refuse
			}
		case 2:
			switch s.reserved[a] {
			case 0, 1:
				add(func(t *directState) { t.reserved[a] = 3 }) // release
			default:
				add(func(t *directState) { t.order = 0 }) // close
			}
		}
	}
	return all
}

// explore describes the first state in which a direct payment and a checkout have both paid, or returns "". It also
// returns the number of states that it has found.
func (r directRules) explore() (violation string, states int) {
	start := directState{}
	seen, queue := map[directState]bool{start: true}, []directState{start}
	for ; len(queue) > 0; queue = queue[1:] {
		if s := queue[0]; s.payment == paidDirectly && s.order == 3 {
			return fmt.Sprintf("both have paid: %+v", s), len(seen)
		}
		for _, t := range r.next(queue[0]) {
			if !seen[t] {
				seen[t] = true
				queue = append(queue, t)
			}
		}
	}
	return "", len(seen)
}

// TestDirectPaymentAndCheckoutNeverBothPay checks that a direct payment and a checkout of an order never both pay. If
// one of the rules is turned off, both pay in at least one interleaving.
func TestDirectPaymentAndCheckoutNeverBothPay(t *testing.T) {
	t.Parallel()
	all := directRules{true, true, true, true, true}
	if violation, states := all.explore(); violation != "" || states < 1000 {
		t.Errorf("explore: %d states, violation %q; want at least 1000 states and no violation", states, violation)
	} else {
		t.Logf("%d states, no violation", states)
	}
	for name, mistake := range map[string]func(*directRules){
		"reserve ignores a payment in progress":     func(r *directRules) { r.reserveWaits = false },
		"reserve ignores a direct payment":          func(r *directRules) { r.reserveRefuses = false },
		"reserve leaves a payment that has expired": func(r *directRules) { r.reserveDeletes = false },
		"pay does not read the order":               func(r *directRules) { r.asksOrder = false },
		"pay_order ignores the token":               func(r *directRules) { r.needsToken = false },
	} {
		rules := all
		mistake(&rules)
		if violation, states := rules.explore(); violation == "" {
			t.Errorf("%s: no violation in %d states, want a violation", name, states)
		}
	}
}
