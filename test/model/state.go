package model

// maxAttempts and maxShards limit a state, so that it can be packed into a key.
const (
	maxAttempts = 3
	maxShards   = 3 // participant shards
	payment     = 0 // the payment shard; 1 and 2 are stock shards
)

// Special attempt numbers.
const (
	noAttempt    = 0
	freshAttempt = 7 // minted by batch_init
	neverBegins  = 6 // value of attempt.after if the call of begin never arrives, because batch_init happened first
)

type orderState uint8

const (
	gone orderState = iota
	open
	running
	aborting
	paid
	refunding
	cancelled
)

// record is the state of an attempt's reservation on one participant shard.
type record uint8

const (
	none      record = iota // no record, and the deadline has not passed
	reserved                // RESERVED without an expiry
	confirmed               // RESERVED with an expiry
	refused
	released
	expired // no record, and the deadline has passed
)

// refund is the state of an attempt's refund on one participant shard.
type refund uint8

const (
	noRefund refund = iota
	refunded        // REFUNDED without an expiry
	refundConfirmed
	refundExpired // no record, and every not-after time has passed
)

// flags are facts about an attempt. A fact is stored on the order shard or in the ledger, known to the coordinators, or
// sent to the client. The ledger records past events for the invariants.
type flags uint16

const (
	unconfirmed       flags = 1 << iota // the attempt is in the sorted set `unconfirmed`
	refundUnconfirmed                   // the attempt's refund is in the sorted set `unconfirmed`
	began                               // ledger: begin started the attempt and fixed its lines and its deadline
	wasPaid                             // ledger: the attempt paid the order
	wasCancelled                        // ledger: the order was CANCELLED later
	knownAborting                       // a reply contained ABORTING and this attempt
	knownRefunding                      // a reply contained REFUNDING and this attempt
	knownStarted                        // begin returned STARTED to a process that is still alive
	knownRefused                        // reserve on the payment shard returned REFUSED
	got200
	got4xx
	minted
)

// shards is a bit set of participant shards.
type shards uint8

func (s shards) has(p int) bool { return s&(1<<p) != 0 }

// attempt is the state of one attempt.
type attempt struct {
	after         uint8             // the previous attempt, as named in the call of begin
	lines         shards            // shards on which the attempt reserves one unit
	records       [maxShards]record // by participant shard
	refunds       [maxShards]refund // by participant shard
	knownReserved shards            // shards on which reserve returned RESERVED
	knownReleased shards            // shards on which a script returned RELEASED or REFUSED
	knownRefunded shards            // shards on which refund returned REFUNDED
	flags         flags
}

func (a *attempt) is(f flags) bool { return a.flags&f != 0 }

// state is a state of the whole system.
type state struct {
	order     orderState
	current   uint8            // the order's attempt
	cart      shards           // shards on which a checkout of this cart reserves
	wasReset  bool             // batch_init has happened
	purchases uint8            // ledger: how many times the order became PAID since its creation or last reset
	free      [maxShards]uint8 // counters
	rivals    [maxShards]uint8 // units that other clients hold
	attempts  [maxAttempts]attempt
}

// at returns attempt number i. The first attempt is number 1.
func (s *state) at(i uint8) *attempt { return &s.attempts[i-1] }

// holds reports whether the order is in state o and its current attempt is i.
func (s *state) holds(o orderState, i uint8) bool { return s.order == o && s.current == i }

// undecided reports whether the order is in the sorted set `undecided`. The scripts update the set together with the
// order's state.
func (s *state) undecided() bool {
	return s.order == running || s.order == aborting || s.order == refunding
}

// key is a state packed for the visited set.
type key [1 + maxAttempts]uint64

func (s *state) pack() key {
	var k key
	k[0] = uint64(s.order) | uint64(s.current)<<3 | uint64(s.cart)<<6 | uint64(s.purchases)<<9
	if s.wasReset {
		k[0] |= 1 << 11
	}
	for p := range maxShards {
		k[0] |= uint64(s.free[p])<<(12+3*p) | uint64(s.rivals[p])<<(21+3*p)
	}
	for i := range s.attempts {
		a := &s.attempts[i]
		w := uint64(a.after) | uint64(a.lines)<<3 | uint64(a.knownReserved)<<6 | uint64(a.knownReleased)<<9 |
			uint64(a.knownRefunded)<<12 | uint64(a.flags)<<15
		for p := range maxShards {
			w |= uint64(a.records[p])<<(32+3*p) | uint64(a.refunds[p])<<(41+2*p)
		}
		k[1+i] = w
	}
	return k
}

func (k *key) unpack() state {
	var s state
	w := k[0]
	s.order, s.current, s.cart, s.purchases = orderState(w&7), uint8(w>>3&7), shards(w>>6&7), uint8(w>>9&3)
	s.wasReset = w>>11&1 == 1
	for p := range maxShards {
		s.free[p], s.rivals[p] = uint8(w>>(12+3*p)&7), uint8(w>>(21+3*p)&7)
	}
	for i := range s.attempts {
		a, w := &s.attempts[i], k[1+i]
		a.after, a.lines = uint8(w&7), shards(w>>3&7)
		a.knownReserved, a.knownReleased, a.knownRefunded = shards(w>>6&7), shards(w>>9&7), shards(w>>12&7)
		a.flags = flags(w >> 15 & 0xffff)
		for p := range maxShards {
			a.records[p], a.refunds[p] = record(w>>(32+3*p)&7), refund(w>>(41+2*p)&3)
		}
	}
	return s
}

// mirror returns the state with the two stock shards swapped.
func (s *state) mirror() state {
	m := *s
	swap := func(x shards) shards { return x&1 | x>>1&2 | x<<1&4 }
	m.cart = swap(m.cart)
	m.free[1], m.free[2] = m.free[2], m.free[1]
	m.rivals[1], m.rivals[2] = m.rivals[2], m.rivals[1]
	for i := range m.attempts {
		a := &m.attempts[i]
		for _, set := range []*shards{&a.lines, &a.knownReserved, &a.knownReleased, &a.knownRefunded} {
			*set = swap(*set)
		}
		a.records[1], a.records[2] = a.records[2], a.records[1]
		a.refunds[1], a.refunds[2] = a.refunds[2], a.refunds[1]
	}
	return m
}

// canonical returns the smaller key of the state and its mirror, so both have the same.
func (s *state) canonical() key {
	k, m := s.pack(), s.mirror()
	l := m.pack()
	for i := range k {
		if k[i] != l[i] {
			if k[i] < l[i] {
				return k
			}
			return l
		}
	}
	return k
}
