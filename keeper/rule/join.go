package rule

import "time"

// patience is how long a replica may keep its turn without a sign of progress.
const patience = 3 * time.Second

// Joining decides which replica may begin to follow the primary. A replica that needs a copy of all data cannot
// acknowledge anything until the copy is in its append-only file, so replicas begin one after the other. A replica
// whose keeper is stopping comes last, because its Redis will probably stop, too.
type Joining struct {
	active bool
	node   int
	failed int // 1 + the node that last lost its turn, or 0
	until  time.Time
}

// Start gives the turn to a node.
func (j *Joining) Start(node int, now time.Time) {
	j.active, j.node, j.until = true, node, now.Add(patience)
}

// Next returns the node whose turn it is, or -1. The last argument contains only recent acknowledgements, so a node
// that has not replied recently is missing.
func (j *Joining) Next(now time.Time, epoch int64, acks map[int]Ack) int {
	if j.active {
		ack := acks[j.node]
		if ack.Copying && ack.Attached {
			j.until = now.Add(patience)
		}
		if ack.InSync || ack.Stopping || now.After(j.until) {
			j.active, j.failed = false, 0
			if !ack.InSync {
				j.failed = 1 + j.node
			}
		}
	}
	if j.active {
		return j.node
	}
	best, bestRank := -1, 0
	for node, ack := range acks {
		if ack.Copying && ack.Attached && !ack.Stopping {
			return -1 // a copy is in progress without a turn, for example since before a restart of this keeper
		}
		if !ack.Reached || ack.Attached || ack.Copying || ack.Promised > epoch { // Copying: it loads its own data
			continue
		}
		// A node with data comes first, because it needs less time than an empty one. A node that is stopping, and the
		// node that last lost its turn, come last.
		rank := 2
		if !ack.Empty {
			rank += 2
		}
		if ack.Stopping || j.failed == 1+node {
			rank = 1
		}
		if rank > bestRank || rank == bestRank && node < best {
			best, bestRank = node, rank
		}
	}
	if best >= 0 {
		j.Start(best, now)
	}
	return best
}
