package failover

import (
	"fmt"
	"strings"

	"checkout/test/model/visited"
)

// Result is the result of an exploration.
type Result struct {
	States    int
	Violation string   // empty if the model is correct
	Trace     []string // the shortest path to the violation: each step, and the state after the step
	Steps     int      // number of steps of the path
}

func (r Result) String() string {
	if r.Violation == "" {
		return fmt.Sprintf("%d states, no violation", r.States)
	}
	return fmt.Sprintf("%d states, then a violation after %d steps: %s\n%s",
		r.States, r.Steps, r.Violation, strings.Join(r.Trace, "\n"))
}

// Explore visits every reachable state, breadth first, until it finds a violation.
func (m *Model) Explore() Result {
	v := visited.New[key]()
	bad, found := m.explore(v, nil)
	if !found {
		return Result{States: v.Len()}
	}
	last, trace := m.trace(v, bad)
	return Result{States: v.Len(), Violation: m.violation(&last), Trace: trace, Steps: len(trace)}
}

// explore adds every reachable state to v, until it finds a state that violates an invariant. If the last argument is
// not nil, explore calls it for every step.
func (m *Model) explore(v *visited.Set[key], edge func(from, to uint32, e event)) (bad uint32, found bool) {
	start := m.initial()
	k := start.key()
	v.Add(&k, 0)
	var steps []step
	for n := uint32(0); int(n) < v.Len(); n++ {
		s := v.Key(n).unpack()
		steps = m.steps(&s, steps[:0])
		for _, e := range steps {
			t := s
			m.take(&t, e)
			k := t.key()
			to, isNew := v.Add(&k, n)
			if isNew && m.violation(&t) != "" {
				return to, true
			}
			if edge != nil {
				edge(n, to, e.event)
			}
		}
	}
	return 0, false
}

// trace describes the steps from the initial state to state n, and returns state n. The visited set may renumber the
// nodes of a state; in a trace, each node keeps its number.
func (m *Model) trace(v *visited.Set[key], n uint32) (state, []string) {
	s := m.initial()
	var lines []string
	for i, n := range v.Path(n) {
		e := m.find(&s, v.Key(n))
		lines = append(lines, fmt.Sprintf("%3d. %s\n        %s", i+1, e, s.describe()))
	}
	return s, lines
}

// find moves s to the state with this key, and returns the step.
func (m *Model) find(s *state, to *key) step {
	for _, e := range m.steps(s, nil) {
		t := *s
		m.take(&t, e)
		if t.key() == *to {
			*s = t
			return e
		}
	}
	panic("failover: no step leads to a visited state")
}
