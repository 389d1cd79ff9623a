package model

import (
	"fmt"
	"slices"
)

// Script names what happens in one step: a script's call, or an event.
type Script string

const (
	Begin         Script = "begin"
	Claim         Script = "claim"
	Commit        Script = "commit"
	Refuse        Script = "refuse"
	Abort         Script = "abort"
	Close         Script = "close"
	Cancel        Script = "cancel"
	MarkCancelled Script = "cancelled"
	AddItem       Script = "addItem"
	RemoveItem    Script = "removeItem"
	Remove        Script = "remove"
	BatchInit     Script = "batch_init"
	Unconfirm     Script = "unconfirm"        // the entry of a confirmed attempt leaves `unconfirmed`
	UnconfirmBack Script = "unconfirm refund" // the entry of a confirmed refund leaves `unconfirmed`
	Reserve       Script = "reserve"
	Release       Script = "release"
	Confirm       Script = "confirm"
	Refund        Script = "refund"
	ConfirmRefund Script = "confirm refund"
	RecordEnds    Script = "deadline passes, record ends"
	RefundEnds    Script = "not-afters pass, refund record ends"
	RivalTakes    Script = "rival takes"
	RivalGives    Script = "rival gives back"
	Mint          Script = "mint"
	AllDie        Script = "everybody dies"
	LoseBegin     Script = "begin is lost"
	LoseReserve   Script = "reserve is lost"
)

// call is a step with its arguments.
type call struct {
	script   Script
	attempt  uint8
	shard    int
	after    uint8 // begin
	leaseOut bool  // begin and claim: the lease has run out
}

func (c call) String() string {
	switch c.script {
	case Begin:
		text := fmt.Sprintf("begin(%d after %s)", c.attempt, attemptName(c.after))
		if c.leaseOut {
			text += ", lease out"
		}
		return text
	case Mint:
		return fmt.Sprintf("mint(%d after %s)", c.attempt, attemptName(c.after))
	case Commit, Refuse, Abort, Close, Cancel, MarkCancelled, Unconfirm, UnconfirmBack, LoseBegin:
		return fmt.Sprintf("%s(%d)", c.script, c.attempt)
	case Reserve, Release, Confirm, Refund, ConfirmRefund, RecordEnds, RefundEnds, LoseReserve:
		return fmt.Sprintf("%s(%d) on %s", c.script, c.attempt, shardName(c.shard))
	case AddItem, RemoveItem, RivalTakes, RivalGives:
		return fmt.Sprintf("%s on %s", c.script, shardName(c.shard))
	}
	return string(c.script)
}

// Model is a configuration, ready to be explored or walked.
type Model struct{ Config }

// cart is the order's cart at first: a line on every stock shard.
func (m *Model) cart() shards { return 1<<(1+m.StockShards) - 1 }

// initial is the state in which an order has been filled and nothing has happened yet.
func (m *Model) initial() state {
	s := state{order: open, cart: m.cart()}
	for p := range 1 + m.StockShards {
		s.free[p] = 1
	}
	return s
}

// calls appends every step that may happen now. It lists steps without effect as well.
func (m *Model) calls(s *state, to []call) []call {
	to = m.begins(s, to)
	for i := uint8(1); int(i) <= m.Attempts; i++ {
		if a := s.at(i); a.is(began) {
			to = m.forward(s, i, to)
			to = m.backward(s, i, to)
			to = m.reverse(s, i, to)
		}
	}
	return m.world(s, to)
}

// begins are the claims of the recovery worker, the begins of minted attempts, and the minting of another one, by a caller that has
// read the order, or has not.
func (m *Model) begins(s *state, to []call) []call {
	to = append(to, call{script: Claim, leaseOut: true})
	i := uint8(1)
	for ; int(i) <= m.Attempts && s.at(i).flags != 0; i++ {
		if after := s.at(i).after; after != dead {
			to = append(to, call{script: Begin, attempt: i, after: after}, call{script: Begin, attempt: i, after: after, leaseOut: true})
		}
	}
	if int(i) <= m.Attempts {
		to = append(to, call{script: Mint, attempt: i, after: noAttempt})
		if s.current != noAttempt {
			to = append(to, call{script: Mint, attempt: i, after: s.current})
		}
	}
	return to
}

// forward is a coordinator on its way to commit.
func (m *Model) forward(s *state, i uint8, to []call) []call {
	a := s.at(i)
	for p := range maxShards {
		if a.lines.has(p) && (p == payment || a.reservedHeard.has(payment) || m.Mutation == RefuseAfterStockAsked) {
			to = append(to, call{script: Reserve, attempt: i, shard: p})
		}
	}
	if a.reservedHeard == a.lines {
		to = append(to, call{script: Commit, attempt: i})
	}
	if a.is(creditRefused) {
		to = append(to, call{script: Refuse, attempt: i})
	}
	return to
}

// backward is a coordinator or the recovery worker giving an attempt up; both may at any time.
func (m *Model) backward(s *state, i uint8, to []call) []call {
	a := s.at(i)
	to = append(to, call{script: Abort, attempt: i})
	if !a.is(abortHeard) && m.Mutation != ReleaseBeforeAbort || m.Mutation == AbortingForgotten {
		return to
	}
	for p := range maxShards {
		if a.lines.has(p) && (p != payment || a.stockIsDown() || m.Mutation == PaymentReleasedFirst) {
			to = append(to, call{script: Release, attempt: i, shard: p})
		}
	}
	if a.isDown() {
		to = append(to, call{script: Close, attempt: i})
	}
	return to
}

// stockIsDown says whether every stock shard is known to hold nothing for the attempt, now and later.
func (a *attempt) stockIsDown() bool { return a.lines&^a.downHeard&^(1<<payment) == 0 }

// isDown is the condition for close.
func (a *attempt) isDown() bool { return a.is(abortHeard) && a.lines&^a.downHeard == 0 }

// reverse is what comes after PAID: confirmations, and the reverse saga of a cancelled order.
func (m *Model) reverse(s *state, i uint8, to []call) []call {
	a := s.at(i)
	for p := range maxShards {
		if a.lines.has(p) && (a.is(wasPaid) || m.Mutation == ConfirmBeforeCommit && a.reservedHeard == a.lines) {
			to = append(to, call{script: Confirm, attempt: i, shard: p})
		}
	}
	if a.is(unconfirmed) && !slices.Contains(a.records[:], reserved) {
		to = append(to, call{script: Unconfirm, attempt: i})
	}
	if m.Cancel && a.is(wasPaid) {
		to = append(to, call{script: Cancel, attempt: i})
	}
	for p := range maxShards {
		if a.lines.has(p) && a.is(refundingHeard) && m.Mutation != RefundingForgotten {
			to = append(to, call{script: Refund, attempt: i, shard: p})
		}
		if a.lines.has(p) && a.is(wasCancelled) {
			to = append(to, call{script: ConfirmRefund, attempt: i, shard: p})
		}
	}
	if a.is(refundingHeard) && a.givenHeard == a.lines {
		to = append(to, call{script: MarkCancelled, attempt: i})
	}
	if a.is(refundUnconfirmed) && !slices.Contains(a.refunds[:], given) {
		to = append(to, call{script: UnconfirmBack, attempt: i})
	}
	return to
}
