package failover

// This file contains the steps of a Redis.

// redisSteps appends the steps of the Redis of node i.
func (m *Model) redisSteps(s *state, i uint8, to []step) []step {
	n := &s.nodes[i]
	if s.rewrites(n) {
		to = append(to, step{event: rewrite, node: i})
	}
	if s.isPrimary(int(i)) {
		return m.primarySteps(s, i, to)
	}
	if n.follows == 0 {
		return to
	}
	j := n.follows - 1
	source := &s.nodes[j]
	if m.mayAcknowledge(s, i, j) {
		to = append(to, step{event: acknowledge, node: j, other: i})
	}
	if source.mem == empty || source.mem == n.mem && n.history {
		return to
	}
	if m.Mutation == DropBeforeCopy && n.mem != empty {
		to = append(to, step{event: dropData, node: i, other: j})
	}
	switch {
	case s.continues(n, source):
		to = append(to, step{event: stream, node: i, other: j})
	case s.serves(j):
		to = append(to, step{event: fullCopy, node: i, other: j})
		if m.Interrupt && n.mem != empty {
			to = append(to, step{event: interrupt, node: i, other: j})
		}
	}
	return to
}

// continues reports whether Redis n needs no full copy, only the rest of its source's log.
func (s *state) continues(n, source *node) bool { return n.history && s.contains(source.mem, n.mem) }

// serves reports whether Redis j sends full copies to its replicas. A primary sends them. A replica sends them unless
// it needs a full copy itself.
func (s *state) serves(j uint8) bool {
	n := &s.nodes[j]
	return s.isPrimary(int(j)) || n.follows != 0 && s.continues(n, &s.nodes[n.follows-1])
}

func (m *Model) primarySteps(s *state, i uint8, to []step) []step {
	n := &s.nodes[i]
	if int(s.batches) < m.Batches {
		to = append(to, step{event: execute, node: i})
	}
	if m.Mutation == NoMark || m.Mutation == PromoteKeepsConnections && n.noted == empty {
		to = append(to, step{event: readBatch, node: i})
	}
	if m.Mutation == AckAlone && n.mem.batches() > 0 && !s.rewrites(n) && !s.contains(s.acked, n.mem) {
		to = append(to, step{event: acknowledge, node: i, other: i})
	}
	return to
}

// mayAcknowledge reports whether primary j may return the replies of the last batch in the log of node i. All
// of these must be true:
//   - The batch is in the log of j and belongs to j's current term. The connections of earlier terms are closed.
//   - Neither node still has to rewrite its file after a full copy, so both may have the batch on disk.
//   - The batch is not acknowledged yet; another reply would change nothing.
func (m *Model) mayAcknowledge(s *state, i, j uint8) bool {
	n, primary := &s.nodes[i], &s.nodes[j]
	if !s.isPrimary(int(j)) || n.mem.batches() == 0 || n.mem.term() != primary.mem.term() ||
		!s.contains(primary.mem, n.mem) || s.contains(s.acked, n.mem) {
		return false
	}
	return (!s.rewrites(n) || m.Mutation == NoWaitAOF) && (!s.rewrites(primary) || m.Mutation == AckBeforeOwnDisk)
}

func (m *Model) takeRedisStep(s *state, e step) {
	n, o := &s.nodes[e.node], &s.nodes[e.other]
	switch e.event {
	case execute:
		s.batches++
		n.mem++
		if n.noted != empty && !s.contains(n.mem, n.noted) {
			s.stale = n.mem
		}
		n.noted = empty
	case readBatch:
		if m.Mutation == NoMark {
			if !s.rewrites(n) {
				s.sync(n, n.mem)
			}
			s.reply(n.mem)
			break
		}
		n.noted = n.mem
	case stream:
		n.mem = s.after(n.mem, o.mem)
	case fullCopy:
		n.mem, n.history = o.mem, true
	case dropData:
		n.mem, n.disk = empty, empty
	case interrupt:
		n.mem, n.history = empty, false
	case rewrite:
		n.disk, n.lost = n.mem, false
	case acknowledge:
		if m.Mutation != AckBeforeOwnDisk {
			s.sync(n, o.mem)
		}
		if m.Mutation != NoWaitAOF {
			s.sync(o, o.mem)
		}
		s.reply(o.mem)
	}
}

// sync records that log t is on the disk of a node.
func (s *state) sync(n *node, t tip) {
	if !s.contains(n.disk, t) {
		n.disk = t
	}
}

// reply shows log t to a client. If t lacks a batch that an earlier reply has shown, reply sets s.forked.
// (mayAcknowledge excludes logs that are prefixes of s.acked.)
func (s *state) reply(t tip) {
	if s.stale != empty && s.contains(t, s.stale) || !s.contains(t, s.acked) {
		s.forked = true
		return
	}
	s.acked = t
}
