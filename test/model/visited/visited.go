// Package visited stores the states that an exploration has visited.
package visited

// Key identifies a state.
type Key interface {
	comparable
	Hash() uint32
}

// Set is the set of visited states, numbered in the order of their discovery. It is an open-addressed hash table.
// Its chunks never move, because copying chunks would dominate the explorer's time and memory.
type Set[K Key] struct {
	chunks [][]K
	parent []uint32
	table  []entry // the length is a power of two
}

// entry is a slot of the table; 0 is a free slot. The lower half is the number of a state + 1, and the upper half is
// the hash of the state. A search reads only the keys of states with the same hash.
type entry uint64

const chunkBits = 16

// New returns an empty set.
func New[K Key]() *Set[K] { return &Set[K]{table: make([]entry, 1<<12)} }

// Len returns the number of states.
func (s *Set[K]) Len() int { return len(s.parent) }

// Key returns the key of state n.
func (s *Set[K]) Key(n uint32) *K { return &s.chunks[n>>chunkBits][n&(1<<chunkBits-1)] }

// Parent returns the number of the state from which state n was discovered.
func (s *Set[K]) Parent(n uint32) uint32 { return s.parent[n] }

// Path returns the numbers of the states on the path from the first state to state n. It omits the first state.
func (s *Set[K]) Path(n uint32) []uint32 {
	var path []uint32
	for ; n != 0; n = s.parent[n] {
		path = append(path, n)
	}
	for i, j := 0, len(path)-1; i < j; i, j = i+1, j-1 {
		path[i], path[j] = path[j], path[i]
	}
	return path
}

// Add adds a state that was discovered from the state with the number parent, and returns its number. If the state is
// already in the set, Add returns the existing number and changes nothing.
func (s *Set[K]) Add(k *K, parent uint32) (n uint32, isNew bool) {
	hash, mask := (*k).Hash(), uint32(len(s.table)-1)
	slot := hash & mask
	for ; s.table[slot] != 0; slot = (slot + 1) & mask {
		e := s.table[slot]
		if n := uint32(e) - 1; uint32(e>>32) == hash && *s.Key(n) == *k {
			return n, false
		}
	}
	n = uint32(len(s.parent))
	if n&(1<<chunkBits-1) == 0 {
		s.chunks = append(s.chunks, make([]K, 0, 1<<chunkBits))
	}
	last := len(s.chunks) - 1
	s.chunks[last] = append(s.chunks[last], *k)
	s.parent = append(s.parent, parent)
	s.table[slot] = entry(hash)<<32 | entry(n+1)
	if len(s.parent)*5 > len(s.table)*3 {
		s.grow()
	}
	return n, true
}

func (s *Set[K]) grow() {
	old := s.table
	s.table = make([]entry, 2*len(old))
	mask := uint32(len(s.table) - 1)
	for _, e := range old {
		if e == 0 {
			continue
		}
		slot := uint32(e>>32) & mask
		for s.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		s.table[slot] = e
	}
}

// HashWords returns a hash of words.
func HashWords(words []uint64) uint32 {
	var h uint64
	for _, w := range words {
		h = (h ^ w) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return uint32(h >> 32)
}

// Edge is a step from one state to another.
type Edge struct{ From, To uint32 }

// Backwards reports for each of n states whether a path of edges leads from the state to a goal.
func Backwards(n int, edges []Edge, goal func(uint32) bool) []bool {
	// The edges to state i come from the states into[start[i]:start[i+1]].
	start := make([]uint32, n+1)
	for _, e := range edges {
		start[e.To+1]++
	}
	for i := range n {
		start[i+1] += start[i]
	}
	into := make([]uint32, len(edges))
	next := append([]uint32(nil), start...)
	for _, e := range edges {
		into[next[e.To]] = e.From
		next[e.To]++
	}
	reaches := make([]bool, n)
	var queue []uint32
	for i := range uint32(n) {
		if goal(i) {
			reaches[i] = true
			queue = append(queue, i)
		}
	}
	for len(queue) > 0 {
		i := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for _, p := range into[start[i]:start[i+1]] {
			if !reaches[p] {
				reaches[p] = true
				queue = append(queue, p)
			}
		}
	}
	return reaches
}
