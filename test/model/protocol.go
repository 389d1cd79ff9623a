package model

import (
	"fmt"
	"slices"
)

// Script is the name of a step: a script call or an event.
type Script string

const (
	Begin           Script = "begin"
	Claim           Script = "claim"
	Commit          Script = "commit"
	Refuse          Script = "refuse"
	Abort           Script = "abort"
	Close           Script = "close"
	Cancel          Script = "cancel"
	MarkCancelled   Script = "cancelled"
	AddItem         Script = "addItem"
	RemoveItem      Script = "removeItem"
	Remove          Script = "remove"
	BatchInit       Script = "batch_init"
	Unconfirm       Script = "unconfirm"        // removes a confirmed attempt from `unconfirmed`
	UnconfirmRefund Script = "unconfirm refund" // removes a confirmed refund from `unconfirmed`
	Reserve         Script = "reserve"
	Release         Script = "release"
	Confirm         Script = "confirm"
	Refund          Script = "refund"
	ConfirmRefund   Script = "confirm refund"
	RecordExpires   Script = "deadline passes, record expires"
	RefundExpires   Script = "not-after times pass, refund record expires"
	RivalTakes      Script = "rival takes"
	RivalReturns    Script = "rival returns"
	Mint            Script = "mint"
	AllDie          Script = "all processes die"
	LoseBegin       Script = "begin is lost"
	LoseReserve     Script = "reserve is lost"
)

// call is a step with its arguments.
type call struct {
	script       Script
	attempt      uint8
	shard        int
	after        uint8 // for begin and mint: the previous attempt
	leaseExpired bool  // for begin and claim: the script finds an expired lease
	waits        bool  // for reserve: without free units, the script returns SHORT instead of recording a refusal
}

func (c call) String() string {
	switch c.script {
	case Begin:
		text := fmt.Sprintf("begin(%d after %s)", c.attempt, attemptName(c.after))
		if c.leaseExpired {
			text += ", lease expired"
		}
		return text
	case Mint:
		return fmt.Sprintf("mint(%d after %s)", c.attempt, attemptName(c.after))
	case Reserve:
		text := fmt.Sprintf("%s(%d) on %s", c.script, c.attempt, shardName(c.shard))
		if c.waits {
			text += ", waits"
		}
		return text
	case Commit, Refuse, Abort, Close, Cancel, MarkCancelled, Unconfirm, UnconfirmRefund, LoseBegin:
		return fmt.Sprintf("%s(%d)", c.script, c.attempt)
	case Release, Confirm, Refund, ConfirmRefund, RecordExpires, RefundExpires, LoseReserve:
		return fmt.Sprintf("%s(%d) on %s", c.script, c.attempt, shardName(c.shard))
	case AddItem, RemoveItem, RivalTakes, RivalReturns:
		return fmt.Sprintf("%s on %s", c.script, shardName(c.shard))
	}
	return string(c.script)
}

// Model is the protocol in one configuration.
type Model struct{ Config }

// cart returns the shards on which a checkout of the initial cart reserves: payment, and every stock shard.
func (m *Model) cart() shards { return 1<<(1+m.StockShards) - 1 }

// initial returns the initial state: an open order with a full cart.
func (m *Model) initial() state {
	s := state{order: open, cart: m.cart()}
	for p := range 1 + m.StockShards {
		s.free[p] = 1
	}
	return s
}

// calls appends every step that may happen now, including steps without effect.
func (m *Model) calls(s *state, to []call) []call {
	to = m.begins(s, to)
	for i := uint8(1); int(i) <= m.Attempts; i++ {
		if a := s.at(i); a.is(began) {
			to = m.forward(s, i, to)
			to = m.backward(s, i, to)
			to = m.reverse(s, i, to)
		}
	}
	return m.events(s, to)
}

// sameRequest reports whether two attempts belong to one request.
func (m *Model) sameRequest(i, j uint8) bool {
	n := uint8(m.Attempts)
	return i == j || m.Retried && min(i, j) == n-1 && max(i, j) == n
}

// begins appends:
//   - the recovery worker's claim
//   - begin for each minted attempt that may begin: once with a valid lease, once with an expired lease
//   - mint of the next attempt, by a caller that has read no attempt of the order
//   - mint of the next attempt, by a caller that has read the current attempt, which belongs to another request
func (m *Model) begins(s *state, to []call) []call {
	to = append(to, call{script: Claim, leaseExpired: true})
	i := uint8(1)
	for ; int(i) <= m.Attempts && s.at(i).flags != 0; i++ {
		if after := s.at(i).after; after != neverBegins {
			for _, leaseExpired := range []bool{false, true} {
				to = append(to, call{script: Begin, attempt: i, after: after, leaseExpired: leaseExpired})
			}
		}
	}
	if int(i) <= m.Attempts {
		to = append(to, call{script: Mint, attempt: i, after: noAttempt})
		if s.current != noAttempt && (!m.sameRequest(i, s.current) || m.Mutation == RetryAfterOwnRefusal) {
			to = append(to, call{script: Mint, attempt: i, after: s.current})
		}
	}
	return to
}

// forward appends the coordinator's steps towards commit.
func (m *Model) forward(s *state, i uint8, to []call) []call {
	a := s.at(i)
	to = append(to, call{script: Begin, attempt: i, after: i}) // renews the lease
	for p := range maxShards {
		if a.lines.has(p) && (p == payment || a.knownReserved.has(payment) || m.Mutation == RefuseAfterStockReserve) {
			to = append(to, call{script: Reserve, attempt: i, shard: p})
			if s.free[p] == 0 { // with free units, waiting makes no difference
				to = append(to, call{script: Reserve, attempt: i, shard: p, waits: true})
			}
		}
	}
	if a.knownReserved == a.lines {
		to = append(to, call{script: Commit, attempt: i})
	}
	if a.is(knownStarted) && a.is(knownRefused) {
		to = append(to, call{script: Refuse, attempt: i})
	}
	return to
}

// backward appends the steps that abort, release and close an attempt. The coordinator and the recovery worker may
// abort at any time. They release only after a reply has shown that the order is ABORTING.
func (m *Model) backward(s *state, i uint8, to []call) []call {
	a := s.at(i)
	to = append(to, call{script: Abort, attempt: i})
	if !a.is(knownAborting) && m.Mutation != ReleaseBeforeAbort || m.Mutation == RecoveryIgnoresAborting {
		return to
	}
	for p := range maxShards {
		if a.lines.has(p) && (p != payment || a.stockIsReleased() || m.Mutation == PaymentReleasedFirst) {
			to = append(to, call{script: Release, attempt: i, shard: p})
		}
	}
	if a.isReleased() {
		to = append(to, call{script: Close, attempt: i})
	}
	return to
}

// stockIsReleased reports whether replies have shown that no stock shard holds or will ever hold anything for the
// attempt.
func (a *attempt) stockIsReleased() bool { return a.lines&^a.knownReleased&^(1<<payment) == 0 }

func (a *attempt) isReleased() bool { return a.is(knownAborting) && a.lines&^a.knownReleased == 0 }

// reverse appends the steps after PAID: confirmations, and the cancellation.
func (m *Model) reverse(s *state, i uint8, to []call) []call {
	a := s.at(i)
	for p := range maxShards {
		if a.lines.has(p) && (a.is(wasPaid) || m.Mutation == ConfirmBeforeCommit && a.knownReserved == a.lines) {
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
		if a.lines.has(p) && a.is(knownRefunding) && m.Mutation != RecoveryIgnoresRefunding {
			to = append(to, call{script: Refund, attempt: i, shard: p})
		}
		if a.lines.has(p) && a.is(wasCancelled) {
			to = append(to, call{script: ConfirmRefund, attempt: i, shard: p})
		}
	}
	if a.is(knownRefunding) && a.knownRefunded == a.lines {
		to = append(to, call{script: MarkCancelled, attempt: i})
	}
	if a.is(refundUnconfirmed) && !slices.Contains(a.refunds[:], refunded) {
		to = append(to, call{script: UnconfirmRefund, attempt: i})
	}
	return to
}
