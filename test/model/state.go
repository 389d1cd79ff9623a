package model

// The sizes that a packed state has room for.
const (
	maxAttempts = 3
	maxShards   = 3 // participant shards
	payment     = 0 // the payment shard; 1 and 2 are stock shards
)

// What the order's attempt may be besides the number of an attempt.
const (
	noAttempt    = 0
	freshAttempt = 7 // minted by batch_init
	dead         = 6 // as an attempt's `after`: its begin was before a batch_init that it cannot outlive
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

// record is an attempt's reservation on one participant shard.
type record uint8

const (
	none      record = iota // and the deadline has not passed
	reserved                // no end
	confirmed               // RESERVED with an end
	refused
	released
	ended // no record, and the deadline has passed
)

// refund is an attempt's refund record on one participant shard.
type refund uint8

const (
	noRefund refund = iota
	given           // no end
	givenConfirmed
	refundEnded // no record, and every not-after has passed
)

// flags of an attempt: on the order shard, of the ledger (what is durable, kept for the invariants only), known, and told.
type flags uint16

const (
	unconfirmed       flags = 1 << iota // an entry in the sorted set
	refundUnconfirmed                   // an entry in the sorted set
	began                               // ledger: begin answered STARTED; lines and deadline are known
	wasPaid                             // ledger: the order was PAID by it
	wasCancelled                        // ledger: and CANCELLED later
	abortHeard                          // ABORTING of this attempt was answered
	refundingHeard                      // REFUNDING of this attempt was answered
	creditRefused                       // the payment shard answered a recorded REFUSED
	told200
	told4xx
	minted // by a caller, who has read the order's attempt
)

// shards is a set of participant shards, by bit.
type shards uint8

func (s shards) has(p int) bool { return s&(1<<p) != 0 }

// attempt is everything about one attempt, wherever it is kept.
type attempt struct {
	after         uint8             // what its begin carries
	lines         shards            // where it takes one unit each; the payment shard is always among them, unless the cart is empty
	records       [maxShards]record // one per participant shard
	refunds       [maxShards]refund // one per participant shard
	reservedHeard shards            // reserve answered RESERVED
	downHeard     shards            // RELEASED or REFUSED was answered
	givenHeard    shards            // refund answered that it was given
	flags         flags
}

func (a *attempt) is(f flags) bool { return a.flags&f != 0 }

// state is one moment of the whole system.
type state struct {
	order     orderState
	current   uint8            // the order's attempt
	cart      shards           // as attempt.lines
	wasReset  bool             // batch_init has happened
	purchases uint8            // ledger: times that the order became PAID since it was created or reset
	free      [maxShards]uint8 // counters
	rivals    [maxShards]uint8 // what other customers hold
	attempts  [maxAttempts]attempt
}

// at returns the attempt with this number, from 1.
func (s *state) at(i uint8) *attempt { return &s.attempts[i-1] }

// holds says whether the order is in this state by this attempt.
func (s *state) holds(o orderState, i uint8) bool { return s.order == o && s.current == i }

// undecided says whether the order is in the sorted set of that name: the scripts that change the state write both.
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
		w := uint64(a.after) | uint64(a.lines)<<3 | uint64(a.reservedHeard)<<6 | uint64(a.downHeard)<<9 | uint64(a.givenHeard)<<12 | uint64(a.flags)<<15
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
		a.reservedHeard, a.downHeard, a.givenHeard = shards(w>>6&7), shards(w>>9&7), shards(w>>12&7)
		a.flags = flags(w >> 15 & 0xffff)
		for p := range maxShards {
			a.records[p], a.refunds[p] = record(w>>(32+3*p)&7), refund(w>>(41+2*p)&3)
		}
	}
	return s
}

// mirror is the state with the two stock shards' names exchanged.
func (s *state) mirror() state {
	m := *s
	swap := func(x shards) shards { return x&1 | x>>1&2 | x<<1&4 }
	m.cart = swap(m.cart)
	m.free[1], m.free[2] = m.free[2], m.free[1]
	m.rivals[1], m.rivals[2] = m.rivals[2], m.rivals[1]
	for i := range m.attempts {
		a := &m.attempts[i]
		a.lines, a.reservedHeard, a.downHeard, a.givenHeard = swap(a.lines), swap(a.reservedHeard), swap(a.downHeard), swap(a.givenHeard)
		a.records[1], a.records[2] = a.records[2], a.records[1]
		a.refunds[1], a.refunds[2] = a.refunds[2], a.refunds[1]
	}
	return m
}

// canonical packs the state, the same for both namings of the stock shards.
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
