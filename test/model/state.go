package model

// Limits of a packed state.
const (
	maxAttempts = 3
	maxShards   = 3 // participant shards
	payment     = 0 // the payment shard; 1 and 2 are stock shards
)

// Values of an attempt's number with a special meaning.
const (
	noAttempt    = 0
	freshAttempt = 7 // minted by batch_init
	neverBegins  = 6 // as an attempt's `after`: a batch_init came since, and its begin does not outlive that
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
	reserved                // without expiry
	confirmed               // RESERVED with an expiry
	refused
	released
	ended // no record, and the deadline has passed
)

// refund is the state of an attempt's refund on one participant shard.
type refund uint8

const (
	noRefund refund = iota
	given           // without expiry
	givenConfirmed
	refundEnded // no record, and every not-after time has passed
)

// flags of an attempt: stored on the order shard, past events (the ledger, for the invariants only), knowledge, and
// responses.
type flags uint16

const (
	unconfirmed       flags = 1 << iota // an entry in the sorted set
	refundUnconfirmed                   // an entry in the sorted set
	began                               // ledger: begin returned STARTED; lines and deadline are known
	wasPaid                             // ledger: the order was PAID by it
	wasCancelled                        // ledger: the order was CANCELLED later
	knownAborting                       // a script returned ABORTING of this attempt
	knownRefunding                      // a script returned REFUNDING of this attempt
	knownRefused                        // the payment shard returned a recorded REFUSED
	answered200
	answered4xx
	minted // by a caller that may have read the order's attempt
)

// shards is a set of participant shards, by bit.
type shards uint8

func (s shards) has(p int) bool { return s&(1<<p) != 0 }

// attempt is everything about one attempt.
type attempt struct {
	after         uint8             // the attempt that its begin names
	lines         shards            // where it reserves one unit each: always the payment shard, unless the cart is empty
	records       [maxShards]record // one per participant shard
	refunds       [maxShards]refund // one per participant shard
	knownReserved shards            // reserve returned RESERVED
	knownReleased shards            // a script returned RELEASED or REFUSED
	knownRefunded shards            // refund returned GIVEN
	flags         flags
}

func (a *attempt) is(f flags) bool { return a.flags&f != 0 }

// state is a state of the whole system.
type state struct {
	order     orderState
	current   uint8            // the order's attempt
	cart      shards           // the shards with a line, as in attempt.lines
	wasReset  bool             // batch_init has happened
	purchases uint8            // ledger: how often the order became PAID since it was created or reset
	free      [maxShards]uint8 // counters
	rivals    [maxShards]uint8 // what other clients hold
	attempts  [maxAttempts]attempt
}

// at returns the attempt with this number, from 1.
func (s *state) at(i uint8) *attempt { return &s.attempts[i-1] }

// holds reports whether the order is in this state with this attempt.
func (s *state) holds(o orderState, i uint8) bool { return s.order == o && s.current == i }

// undecided reports whether the order is in the sorted set `undecided`. The scripts write it together with the state.
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

// mirror returns the state with the names of the two stock shards exchanged.
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

// canonical packs the state; both namings of the stock shards give the same key.
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
