package model

import (
	"fmt"
	"strings"
)

// Result is the result of an exploration.
type Result struct {
	States    int
	Violation string   // empty if the model is correct
	Trace     []string // the shortest path to the violation
}

func (r Result) String() string {
	if r.Violation == "" {
		return fmt.Sprintf("%d states, no violation", r.States)
	}
	return fmt.Sprintf("%d states, then a violation: %s\n%s", r.States, r.Violation, strings.Join(r.Trace, "\n"))
}

// visited is the set of visited states, numbered in the order of their discovery. It is an open-addressed hash table.
// Its chunks never move, because copying chunks would dominate the explorer's time and memory.
type visited struct {
	chunks [][]key
	parent []uint32
	table  []entry // the length is a power of two
}

// entry is a slot of the table: the number of a state + 1, or 0 for a free slot. The upper half is the hash of the
// state, so that a search reads almost no keys of other states.
type entry uint64

const chunkBits = 16

func newVisited() *visited { return &visited{table: make([]entry, 1<<12)} }

func (v *visited) len() int { return len(v.parent) }

func (v *visited) key(n uint32) *key { return &v.chunks[n>>chunkBits][n&(1<<chunkBits-1)] }

// add adds a state and returns its number. If the state is already in the set, the result is the existing
// number.
func (v *visited) add(k *key, parent uint32) (n uint32, isNew bool) {
	hash, mask := k.hash(), uint32(len(v.table)-1)
	slot := hash & mask
	for ; v.table[slot] != 0; slot = (slot + 1) & mask {
		e := v.table[slot]
		if n := uint32(e) - 1; uint32(e>>32) == hash && *v.key(n) == *k {
			return n, false
		}
	}
	n = uint32(len(v.parent))
	if n&(1<<chunkBits-1) == 0 {
		v.chunks = append(v.chunks, make([]key, 0, 1<<chunkBits))
	}
	last := len(v.chunks) - 1
	v.chunks[last] = append(v.chunks[last], *k)
	v.parent = append(v.parent, parent)
	v.table[slot] = entry(hash)<<32 | entry(n+1)
	if len(v.parent)*5 > len(v.table)*3 {
		v.grow()
	}
	return n, true
}

func (v *visited) grow() {
	old := v.table
	v.table = make([]entry, 2*len(old))
	mask := uint32(len(v.table) - 1)
	for _, e := range old {
		if e == 0 {
			continue
		}
		slot := uint32(e>>32) & mask
		for v.table[slot] != 0 {
			slot = (slot + 1) & mask
		}
		v.table[slot] = e
	}
}

func (k *key) hash() uint32 {
	var h uint64
	for _, w := range k {
		h = (h ^ w) * 0x9e3779b97f4a7c15
		h ^= h >> 29
	}
	return uint32(h >> 32)
}

// Explore visits every reachable state, breadth first, until it finds a violation.
func (m *Model) Explore() Result {
	v := newVisited()
	bad := m.explore(v, nil)
	if bad == nil {
		return Result{States: v.len()}
	}
	return Result{States: v.len(), Violation: bad.text, Trace: m.trace(v, bad.number)}
}

// violatingState is a state that violates an invariant.
type violatingState struct {
	number uint32
	text   string
}

// explore adds every reachable state to v, until it finds a violation. explore calls the function edge, unless it is
// nil, for every step between two different states.
func (m *Model) explore(v *visited, edge func(from, to uint32, c call)) *violatingState {
	first := m.initial()
	k := m.key(&first)
	v.add(&k, 0)
	var calls []call
	for n := uint32(0); int(n) < v.len(); n++ {
		s := v.key(n).unpack()
		calls = m.calls(&s, calls[:0])
		for _, c := range calls {
			t := s
			if m.step(&t, c); t == s {
				continue
			}
			k := m.key(&t)
			to, isNew := v.add(&k, n)
			if isNew {
				if text := m.violation(&t); text != "" {
					return &violatingState{to, text}
				}
			}
			if edge != nil {
				edge(n, to, c)
			}
		}
	}
	return nil
}

// key returns the key of a state in the visited set.
func (m *Model) key(s *state) key {
	if m.StockShards == 1 {
		return s.pack()
	}
	return s.canonical()
}

// trace describes the steps from the initial state to state n. The set of visited states may store a
// state with its two stock shards swapped; trace undoes the swaps, so that each shard keeps its name in all lines.
func (m *Model) trace(v *visited, n uint32) []string {
	var path []uint32
	for ; n != 0; n = v.parent[n] {
		path = append(path, n)
	}
	s := m.initial()
	lines := []string{"        " + m.describe(&s)}
	for i := len(path) - 1; i >= 0; i-- {
		c, code := m.follow(&s, v.key(path[i]))
		reply := ""
		if code != Nothing {
			reply = " -> " + string(code)
		}
		lines = append(lines, fmt.Sprintf("%3d. %s%s\n        %s", len(path)-i, c, reply, m.describe(&s)))
	}
	return lines
}

// follow takes the step that leads from s to the state with this key.
func (m *Model) follow(s *state, to *key) (call, Code) {
	for _, c := range m.calls(s, nil) {
		t := *s
		code := m.step(&t, c)
		if m.key(&t) == *to {
			*s = t
			return c, code
		}
	}
	panic("model: no step leads to a visited state")
}
