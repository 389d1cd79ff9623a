package rule

import (
	"fmt"
	"slices"
)

// actions lists what can happen in a history, with the base weight of each action. A history multiplies each base
// weight by a random factor.
var actions = []struct {
	weight int
	do     func(s *simulation, i int)
}{
	{20, func(s *simulation, _ int) {
		if len(s.messages) > 0 {
			s.deliver(s.rand.IntN(len(s.messages)))
		}
	}},
	{2, func(s *simulation, _ int) {
		if len(s.messages) > 0 {
			s.messages = s.messages[1:]
		}
	}},
	{6, func(s *simulation, i int) {
		if n := s.nodes[i]; n.master {
			s.writes++
			n.append(entry{n.position().Epoch, s.writes})
		}
	}},
	{20, (*simulation).replicate},
	{6, (*simulation).rewrite},
	{20, (*simulation).acknowledge},
	{6, (*simulation).beat},
	{1, (*simulation).stand},
	{2, (*simulation).inspect},
	{1, (*simulation).restartKeeper},
	{1, (*simulation).restartRedis},
	{1, (*simulation).wipe},
	{1, (*simulation).found},
	{1, func(s *simulation, i int) {
		s.note("redis %d fails", i)
		s.nodes[i].fail = errRefused
		s.send(func() { s.nodes[i].fail = nil })
	}},
	{1, func(s *simulation, i int) { // a copy fails halfway
		if n := s.nodes[i]; n.loading && s.rand.IntN(2) == 0 {
			n.loading, n.broken, n.log = false, true, n.copied[:s.rand.IntN(1+len(n.copied))]
		}
	}},
}

func (s *simulation) inspect(i int) {
	s.members[i].Inspect(s.ctx())
}

func (s *simulation) replicate(i int) {
	for j, from := range s.nodes {
		if i != j && s.nodes[i].follows == addrs[j] && !s.nodes[i].master && !from.loading && !from.broken &&
			(from.master || from.follows != Frozen) {
			s.nodes[i].replicate(from, 1+s.rand.IntN(3))
		}
	}
}

// rewrite writes a copy of all data to disk.
func (s *simulation) rewrite(i int) {
	if n := s.nodes[i]; n.stale && !n.loading {
		n.synced, n.stale = n.log, false
	}
}

// acknowledge acknowledges the writes of primary i up to a random one, if the primary and at least one replica have
// these writes on disk. If the log of the primary lacks a write that was acknowledged before, acknowledge records a
// violation.
func (s *simulation) acknowledge(i int) {
	p := s.nodes[i]
	if !p.master || p.stale || len(p.log) == 0 {
		return
	}
	n := 1 + s.rand.IntN(len(p.log))
	last := p.log[n-1]
	replicas := 0
	for j, f := range s.nodes {
		if j != i && !f.master && f.follows == addrs[i] && f.acknowledges(p, n) {
			replicas++
		}
	}
	if last.id == 0 || last.epoch != p.position().Epoch || replicas == 0 || s.acked[last.id] {
		return
	}
	s.note("node %d acknowledges %v of %v", i, last, p.log)
	for id := range s.acked {
		found := slices.ContainsFunc(p.log, func(e entry) bool { return e.id == id })
		if !found {
			s.wrong = fmt.Sprintf("node %d acknowledges write %d without the acknowledged write %d", i, last.id, id)
		}
	}
	for _, e := range p.log[:n] {
		if e.id > 0 {
			s.acked[e.id] = true
		}
	}
}

// beat sends the beats of a primary.
func (s *simulation) beat(i int) {
	o, err := s.members[i].Inspect(s.ctx())
	if err != nil || !s.members[i].Primary(o) {
		return
	}
	for j := range s.nodes {
		if j == i {
			continue
		}
		b := Beat{Node: i, Epoch: o.Position.Epoch, Position: o.Position, Attach: s.rand.IntN(4) > 0}
		s.send(func() { s.follow(j, b) })
	}
}

func (s *simulation) follow(j int, b Beat) {
	a, err := s.members[j].Follow(s.ctx(), b, s.mutation == "no agreement")
	s.note("node %d follows node %d in epoch %d: %+v %v", j, b.Node, b.Epoch, a, err)
	if err == ErrUnagreed {
		first, second := (j+1)%3, (j+2)%3
		if s.rand.IntN(2) == 0 {
			first, second = second, first
		}
		views := []View{s.view(first)} // the other node replies later
		s.send(func() {
			if m := s.members[j]; b.Agrees(append(views, s.view(second))) {
				s.send(func() {
					if s.members[j] == m { // the keeper has not restarted since it asked
						m.Follow(s.ctx(), b, true)
					}
				})
			}
		})
	}
	if epoch := a.Promised; epoch > b.Epoch {
		s.send(func() { s.members[b.Node].StepDown(s.ctx(), epoch) })
	}
}

func (s *simulation) view(i int) View {
	o := s.nodes[i].observation()
	m := s.members[i]
	return View{Node: i, Promised: m.Promised(), Primary: m.Primary(o)}
}

func (s *simulation) stand(i int) {
	m := s.members[i]
	c, err := m.Standing(s.ctx(), 0)
	if err != nil {
		return
	}
	if c, err = m.Stand(s.ctx(), c); err != nil {
		return
	}
	s.note("node %d stands in epoch %d at %v", i, c.Epoch, c.Position)
	for j := range s.nodes {
		if j == i {
			continue
		}
		s.send(func() {
			position := c.Position
			if s.mutation == "no comparison" {
				position = Position{1 << 40, 0}
			}
			b := s.members[j].Vote(s.ctx(), Candidate{i, c.Epoch, position, c.RunID})
			s.note("node %d votes for node %d in epoch %d: %+v", j, i, c.Epoch, b)
			if b.Granted || s.mutation == "no vote" {
				s.send(func() { s.win(m, c) })
			}
		})
	}
}

func (s *simulation) win(m *Member, c Candidate) {
	if s.members[c.Node] != m || m.Win(s.ctx(), c) != nil {
		return
	}
	s.wins++
	s.note("node %d is elected in epoch %d with %v", c.Node, c.Epoch, s.nodes[c.Node].log)
	for id := range s.acked {
		if !slices.ContainsFunc(s.nodes[c.Node].log, func(e entry) bool { return e.id == id }) {
			s.wrong = fmt.Sprintf("node %d is elected without the acknowledged write %d", c.Node, id)
		}
	}
}

func (s *simulation) restartKeeper(i int) {
	s.note("keeper %d restarts", i)
	stored := s.disks[i].promise
	if NewMember(i, addrs, stored, nil, nil).Check(s.nodes[i].observation(), stored.Epoch > 0) != nil {
		// The keeper refuses to start. An operator must wipe the node.
		s.lost++
		s.wipe(i)
		return
	}
	if s.mutation == "no promise" {
		s.disks[i].promise = Promise{Epoch: s.nodes[i].position().Epoch}
	}
	s.start(i)
}

func (s *simulation) restartRedis(i int) {
	s.note("redis %d restarts", i)
	s.nodes[i].restart()
}

// found simulates keeper init: node i founds the shard. Other events can happen between its steps.
func (s *simulation) found(i int) {
	m := s.members[i]
	f, err := m.Plan(s.ctx())
	if err != nil {
		return
	}
	f.Dry = true
	if s.collect(&f) < 2 {
		return
	}
	f.Dry = false
	s.send(func() {
		if s.members[i] != m { // the keeper has restarted
			return
		}
		c, err := m.Prepare(s.ctx(), f)
		if err != nil {
			return
		}
		switch granted := s.collect(&f); {
		case granted == 2:
			s.note("node %d is founded in epoch %d: %s", i, f.Epoch, f.Stage)
			s.send(func() { s.win(m, c) })
		case granted == 0:
			m.Cancel(f)
		}
	})
}

// collect asks the other nodes to grant a founding, and returns how many do.
func (s *simulation) collect(f *Founding) (granted int) {
	for j := range s.nodes {
		if j == f.Node {
			continue
		}
		b := s.members[j].Grant(s.ctx(), *f)
		if b.Granted || s.mutation == "careless init" {
			granted++
		}
		if f.Stage == Again && f.Dry {
			f.Epoch = max(f.Epoch, b.Promised+1)
		}
	}
	return granted
}

// wipe simulates the loss of a node's disk, but only if both other nodes have data on disk. With severalLosses, data
// on the disk of one other node is enough.
func (s *simulation) wipe(i int) {
	kept := 0
	for j, n := range s.nodes {
		if j != i && !n.stale && !n.loading && !n.broken && len(n.synced) > 0 {
			kept++
		}
	}
	if kept == 0 || kept == 1 && !s.severalLosses {
		return
	}
	s.note("node %d is wiped", i)
	*s.disks[i] = memory{}
	*s.nodes[i] = fake{follows: Frozen, process: s.nodes[i].process + 3, locked: s.mutation == "no freeze"}
	if s.rand.IntN(2) == 0 { // otherwise the keeper keeps running
		s.start(i)
	}
}
