package failover

import "fmt"

// violation describes the first violated invariant, or returns "".
func (m *Model) violation(s *state) string {
	if s.forked {
		return "a reply contradicts an earlier reply"
	}
	copies := 0
	for i := range s.nodes {
		n := &s.nodes[i]
		if s.isPrimary(i) && s.epoch(n.mem) > s.epoch(s.acked) && !s.contains(n.mem, s.acked) {
			return fmt.Sprintf("the primary, node %d, lacks an acknowledged batch", i+1)
		}
		if s.contains(n.disk, s.acked) {
			copies++
		}
	}
	if s.acked != empty && copies == 0 && !m.AtOnce {
		return "no disk has an acknowledged batch"
	}
	if m.Mutation == Correct && !m.LateEpoch {
		return m.lemma(s, copies)
	}
	return ""
}

// lemma describes the first violated lemma (see the package comment), or returns "". It is not called for
// mutations, because they must violate an invariant. It is not called with Config.LateEpoch either: a batch that
// is executed before the primary writes its epoch may have the same position as another batch, even under the
// correct rule.
func (m *Model) lemma(s *state, copies int) string {
	if s.acked != empty && copies == 1 && s.losses == 0 && !s.someDead() {
		return "only one disk has an acknowledged batch"
	}
	for i := range s.nodes {
		for _, a := range [...]tip{s.nodes[i].mem, s.nodes[i].disk} {
			for j := range s.nodes {
				if b := s.nodes[j].mem; a != b && s.position(a) == s.position(b) {
					return fmt.Sprintf("nodes %d and %d have the same position and different logs", i+1, j+1)
				}
			}
		}
	}
	return ""
}

func (s *state) someDead() bool { return s.nodes[0].dead || s.nodes[1].dead || s.nodes[2].dead }
