package failover

// tip identifies a log by its last entry. The upper bits are the number of the last term, the lower bits the number of
// batches of this term.
//
// A log is everything that a Redis has executed. Each term adds one entry for its epoch, and then one entry for each
// batch. A batch that only reads also adds an entry, because it ends with a write.
type tip uint8

const empty tip = 0 // the log of an empty node

const batchBits = 3

func (t tip) term() uint8    { return uint8(t) >> batchBits }
func (t tip) batches() uint8 { return uint8(t) & (1<<batchBits - 1) }

// first returns the log of a term that has no batches yet.
func first(number uint8) tip { return tip(number << batchBits) }

// The first term of epoch e has number e. Numbers above maxEpochs are for second terms of an epoch. Only some
// mutations and Config.LateEpoch start second terms.
const (
	maxEpochs = 4
	maxTerms  = 6
)

// term is a part of a log that one primary writes.
type term struct {
	epoch  uint8
	parent tip   // the log of the node before it became primary
	node   uint8 // number of the node + 1; 0: the term has not begun
}

// contains reports whether log b is a prefix of log a.
func (s *state) contains(a, b tip) bool {
	for a.term() != b.term() {
		if a == empty {
			return false
		}
		a = s.terms[a.term()].parent
	}
	return a.batches() >= b.batches()
}

// after returns the prefix of log b that is one entry longer than log a. Log a must be a prefix of log b.
func (s *state) after(a, b tip) tip {
	for a.term() != b.term() {
		parent := s.terms[b.term()].parent
		if parent == a {
			return first(b.term())
		}
		b = parent
	}
	return a + 1
}

// position is the position of a node: the values of the keys {t}epoch and {t}seq in its data.
type position struct{ epoch, seq uint8 }

func (s *state) epoch(t tip) uint8 { return s.terms[t.term()].epoch }

func (s *state) position(t tip) position {
	p := position{epoch: s.epoch(t)}
	for ; t != empty; t = s.terms[t.term()].parent {
		p.seq += t.batches()
	}
	return p
}

// behind reports whether position p is lower than q.
func (p position) behind(q position) bool {
	return p.epoch < q.epoch || p.epoch == q.epoch && p.seq < q.seq
}
