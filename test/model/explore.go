package model

import (
	"fmt"
	"strings"

	"checkout/test/model/visited"
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

// Hash returns a hash of the key.
func (k key) Hash() uint32 { return visited.HashWords(k[:]) }

// Explore visits every reachable state, breadth first, until it finds a violation.
func (m *Model) Explore() Result {
	v := visited.New[key]()
	bad := m.explore(v, nil)
	if bad == nil {
		return Result{States: v.Len()}
	}
	return Result{States: v.Len(), Violation: bad.text, Trace: m.trace(v, bad.number)}
}

// violatingState is a state that violates an invariant.
type violatingState struct {
	number uint32
	text   string
}

// explore adds every reachable state to v, until it finds a violation. If the last argument is not nil, explore calls
// it for every step that changes the state.
func (m *Model) explore(v *visited.Set[key], edge func(from, to uint32, c call)) *violatingState {
	first := m.initial()
	k := m.key(&first)
	v.Add(&k, 0)
	var calls []call
	for n := uint32(0); int(n) < v.Len(); n++ {
		s := v.Key(n).unpack()
		calls = m.calls(&s, calls[:0])
		for _, c := range calls {
			t := s
			if m.step(&t, c); t == s {
				continue
			}
			k := m.key(&t)
			to, isNew := v.Add(&k, n)
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
func (m *Model) trace(v *visited.Set[key], n uint32) []string {
	s := m.initial()
	lines := []string{"        " + m.describe(&s)}
	for i, n := range v.Path(n) {
		c, code := m.follow(&s, v.Key(n))
		reply := ""
		if code != Nothing {
			reply = " -> " + string(code)
		}
		lines = append(lines, fmt.Sprintf("%3d. %s%s\n        %s", i+1, c, reply, m.describe(&s)))
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
