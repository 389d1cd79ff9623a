package rule

import "time"

const (
	// patience is how long a node may keep its turn (see Joining) without copying.
	patience = 3 * time.Second
	// longestTurn is how long a node may keep its turn even if it is copying. Without this limit, a copy that fails
	// and restarts forever, for example because the disk is full, would block the other node. A copy that is still
	// running at the end of the turn continues.
	longestTurn = 30 * time.Second
)

// Joining decides which node may begin to follow the primary. A node acknowledges no writes before its append-only
// file has the whole copy. Two copies at the same time would take longer, so the nodes begin one after the other.
// A node whose keeper is stopping comes last, because its Redis will probably stop, too.
type Joining struct {
	active bool
	node   int
	failed int       // 1 + the node that last lost its turn, or 0
	until  time.Time // end of the turn unless the node is copying
	end    time.Time // end of the turn even if the node is copying
}

// Start begins the turn of a node.
func (j *Joining) Start(node int, now time.Time) {
	j.active, j.node, j.until, j.end = true, node, now.Add(patience), now.Add(longestTurn)
}

// Next returns the node that may begin to follow the primary, or -1. The map acks has the last ack of each
// node that replied recently.
func (j *Joining) Next(now time.Time, epoch int64, acks map[int]Ack) int {
	if j.active {
		ack := acks[j.node]
		if ack.Copying && ack.Attached {
			j.until = now.Add(patience)
		}
		if ack.InSync || ack.Stopping || now.After(j.until) || now.After(j.end) {
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
		// An attached node that is not copying needs no turn. A node that is copying, but not attached, is still
		// loading its own data. An attached node that is copying has no turn, for example because this keeper has
		// restarted. It can get the turn, so that no other node begins.
		if !ack.Reached || ack.Attached != ack.Copying || ack.Promised > epoch {
			continue
		}
		// The order: a node that is already copying, a node with data (it needs less time), an empty node. A node
		// that is stopping or that lost the last turn comes last in any case.
		rank := 2
		switch {
		case ack.Stopping || j.failed == 1+node:
			rank = 1
		case ack.Attached:
			rank = 4
		case !ack.Empty:
			rank = 3
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
