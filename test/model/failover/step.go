package failover

// event is the kind of a step.
type event uint8

const (
	// Events of a Redis, see redis.go.
	execute event = iota
	readBatch
	stream
	fullCopy
	dropData
	interrupt
	rewrite
	acknowledge
	// Events of a keeper, see keeper.go.
	initialize
	initializeAgain
	initializeByFlag
	stand
	notePosition
	vote
	unlock
	promote
	agree
	follow
	// Faults, see faults.go.
	freeze
	refuse
	restart
	lose
	die
)

// step is a step with its arguments.
type step struct {
	event event
	node  uint8
	other uint8 // the second node that takes part
	arg   uint8 // for stand, agree and refuse: an epoch; for follow: a term; for restart: a log
}

// Model explores one Config.
type Model struct{ Config }

// initial returns the initial state.
func (m *Model) initial() state {
	var s state
	if !m.Running {
		return s
	}
	m.initialize(&s, 0)
	for i := range s.nodes {
		s.nodes[i] = node{mem: first(1), disk: first(1), history: true, promise: 1, synced: 1, follows: 1}
	}
	return s
}

// steps appends every step that may happen now.
func (m *Model) steps(s *state, to []step) []step {
	if s.terms[1].node == 0 {
		for i := range uint8(nodes) {
			to = append(to, step{event: initialize, node: i})
		}
		return to
	}
	for i := range uint8(nodes) {
		if !s.nodes[i].dead {
			to = m.redisSteps(s, i, to)
			to = m.keeperSteps(s, i, to)
			to = m.faults(s, i, to)
		}
	}
	return to
}

// take changes the state by one step.
func (m *Model) take(s *state, e step) {
	switch {
	case e.event <= acknowledge:
		m.takeRedisStep(s, e)
	case e.event <= follow:
		m.takeKeeperStep(s, e)
	default:
		m.takeFault(s, e)
	}
}
