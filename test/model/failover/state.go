package failover

const nodes = 3

// candidacy is the role of a keeper in the election of the epoch that it has promised.
type candidacy uint8

const (
	noCandidate candidacy = iota
	candidate             // asks for votes
	elected               // has two votes, but its Redis is not yet the primary
)

// node is a Redis, its keeper, and their disk.
type node struct {
	mem       tip       // the log in the memory of Redis
	disk      tip       // the log that is certainly on disk
	history   bool      // Redis has its replication history, so it may need no full copy
	promise   uint8     // highest epoch that the keeper has promised; 0: no promise, because the disk is new or was lost
	synced    uint8     // the promise on disk
	follows   uint8     // 1 + number of the node that Redis follows, or of its own node if it is the primary; 0: frozen
	candidacy candidacy // candidacy of the keeper
	lost      bool      // the disk was lost, and its replacement has no full copy yet
	dead      bool      // the machine is lost for good
	asked     uint8     // if the keeper has no promise: the epoch whose primary other keepers have acknowledged
	agreed    uint8     // the nodes that have acknowledged the primary of epoch asked, one bit each
	noted     tip       // for mutations: a log that the keeper or a batch has read
}

// state is a state of the shard.
type state struct {
	nodes   [nodes]node
	terms   [maxTerms + 1]term // terms[0] is not used
	acked   tip                // the acknowledged state: the longest log that a reply has shown to a client
	batches uint8              // number of executed batches
	losses  uint8              // number of lost disks
	forked  bool               // a reply has contradicted an earlier reply
	stale   tip                // for mutations: a log that ends with a batch whose reply must not be returned
}

// isPrimary reports whether the Redis of node i is a primary.
func (s *state) isPrimary(i int) bool { return int(s.nodes[i].follows) == i+1 }

// rewrites reports whether Redis has received a full copy that is not in its file yet: the file is empty or contains
// other data. If rewrites returns false, disk is a prefix of mem, or an interrupted copy has left mem empty.
func (s *state) rewrites(n *node) bool {
	return n.mem != empty && (n.disk == empty || !s.contains(n.mem, n.disk))
}

// othersLost reports whether a node other than i is lost for good, or has a replacement disk without a full copy.
func (s *state) othersLost(i uint8) bool {
	for j := range s.nodes {
		if j != int(i) && (s.nodes[j].lost || s.nodes[j].dead) {
			return true
		}
	}
	return false
}
