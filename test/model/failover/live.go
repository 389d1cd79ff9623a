package failover

import "checkout/test/model/visited"

// Live explores all states. It checks for each state that the shard can acknowledge a batch again if there are no more
// faults. It does not check two kinds of states:
//
//   - The highest epoch is used, so a further election may be impossible.
//   - A disk or a machine was lost, and fewer than two nodes have data on disk.
func (m *Model) Live() Result {
	v := visited.New[key]()
	var edges []visited.Edge
	bad, found := m.explore(v, func(from, to uint32, e event) {
		if e < freeze && from != to {
			edges = append(edges, visited.Edge{From: from, To: to})
		}
	})
	if found {
		last, trace := m.trace(v, bad)
		return Result{States: v.Len(), Violation: m.violation(&last), Trace: trace, Steps: len(trace)}
	}
	reaches := visited.Backwards(v.Len(), edges, func(n uint32) bool {
		s := v.Key(n).unpack()
		return s.works()
	})
	for n := range uint32(v.Len()) {
		if s := v.Key(n).unpack(); !reaches[n] && m.hasUnusedEpoch(&s) && s.isComplete() {
			_, trace := m.trace(v, n)
			return Result{States: v.Len(), Violation: "the shard never acknowledges again", Trace: trace, Steps: len(trace)}
		}
	}
	return Result{States: v.Len()}
}

// works reports whether the next batch of a primary can be acknowledged.
func (s *state) works() bool {
	for i := range s.nodes {
		n := &s.nodes[i]
		if n.follows == 0 || s.isPrimary(i) {
			continue
		}
		j := int(n.follows) - 1
		if p := &s.nodes[j]; s.isPrimary(j) && n.mem == p.mem && !s.rewrites(n) && !s.rewrites(p) {
			return true
		}
	}
	return false
}

func (m *Model) hasUnusedEpoch(s *state) bool {
	for i := range s.nodes {
		if n := &s.nodes[i]; int(max(n.promise, s.epoch(n.mem))) >= m.Epochs {
			return false
		}
	}
	return true
}

// isComplete returns true if two nodes have data on disk, or if no disk and no machine was lost.
func (s *state) isComplete() bool {
	data := 0
	for i := range s.nodes {
		if s.nodes[i].disk != empty {
			data++
		}
	}
	return data >= 2 || s.losses == 0 && !s.someDead()
}
