package api

// Ping is the reply to a ping: the instance and the state of its shards.
type Ping struct {
	Service  string       `json:"service"`
	Instance string       `json:"machine"` // "i/N"
	Shards   []ShardState `json:"shards"`
}

// ShardState is the result of the last health check of a shard.
type ShardState struct {
	Shard   int  `json:"shard"`
	Healthy bool `json:"up"`
	// Problem is a short code for the reason why the shard is unhealthy or refuses writes. Problem is empty if there is
	// no such reason, or if the shard does not reply.
	Problem string `json:"problem,omitempty"`
	// Epoch is the epoch of the primary that last replied to this instance. Epoch is 0 if the shard is not replicated.
	Epoch int64 `json:"epoch,omitempty"`
	// Nodes are the nodes of a replicated shard, in the order of REDIS_ADDRS. For a shard on one server, Nodes is empty.
	Nodes []NodeState `json:"nodes,omitempty"`
}

// NodeState is the state of a node of a replicated shard. Each instance asks the nodes once a second.
type NodeState struct {
	Node  int    `json:"node"` // index in REDIS_ADDRS, from 0
	Role  string `json:"role"` // one of the roles below
	Epoch int64  `json:"epoch"`
	// Lag is the number of batches that the primary has and this node lacks, or 0 if this number is unknown. The two
	// nodes reply at slightly different times, so the number is approximate.
	Lag int64 `json:"lag"`
	// Skew is how far the clock of the node is ahead of the clock of this instance, in ms.
	Skew int64 `json:"clock_skew_ms"`
}

// Roles of a node.
const (
	NodePrimary     = "primary"     // accepts writes, and has the highest epoch
	NodeReplica     = "replica"     // receives and acknowledges the writes of the primary
	NodeSyncing     = "syncing"     // connects to a primary, loads its own data, or copies data and writes them to disk
	NodeFrozen      = "frozen"      // follows no node: it has just started, or an election is in progress
	NodeOutdated    = "outdated"    // accepts writes, although another node has a higher epoch; these writes get no reply
	NodeUnreachable = "unreachable" // does not reply to this instance
)

// Overview is the state of one instance, for the console. Counters start at 0 when the instance starts.
type Overview struct {
	Service  string           `json:"service"`
	Instance string           `json:"machine"` // "i/N"
	Shards   []ShardState     `json:"shards"`
	Modulus  int              `json:"modulus"`        // decimal ID n is on shard n modulo Modulus; 0 if unknown
	Requests map[string]int64 `json:"requests"`       // responses on the public port by status, except overviews
	Saga     *SagaOverview    `json:"saga,omitempty"` // set by the order service only
	Demo     *Demo            `json:"demo,omitempty"` // set by the order service only, under `make up CONSOLE=demo`

	Incarnation string  `json:"incarnation"` // first 8 digits of the UUID of the process
	StartedAt   int64   `json:"started_at"`  // Unix ms, by the clock of the instance
	Now         int64   `json:"now"`         // Unix ms, by the clock of the instance
	Events      []Event `json:"events"`      // the last events of the instance, oldest first
}

// Demo is the control port of `make up CONSOLE=demo`. Through this port, the console stops and kills components. Each
// request to the port needs the token in the header X-Token.
type Demo struct {
	URL   string `json:"url"`
	Token string `json:"token"`
}

// Event is something that happened to an instance, its shards, its peers or its orders. Package events lists the kinds.
// Only the fields that apply are set.
type Event struct {
	Sequence    int64  `json:"seq"` // 1, 2, … since the start of the instance
	At          int64  `json:"at"`  // Unix ms, by the clock of the instance
	Kind        string `json:"kind"`
	Service     string `json:"service,omitempty"`
	Shard       *int   `json:"shard,omitempty"`
	OrderID     string `json:"order_id,omitempty"`
	DurationMS  int64  `json:"duration_ms,omitempty"`
	Detail      string `json:"detail,omitempty"`
	By          string `json:"by,omitempty"`          // what decided an order: "recovery" or "retry"
	Incarnation string `json:"incarnation,omitempty"` // incarnation of an instance that was lost
	Count       int64  `json:"count,omitempty"`       // number of orders
}

// SagaOverview counts the checkouts of one order instance and lists undecided orders of all its shards.
type SagaOverview struct {
	Checkouts []CheckoutCount `json:"checkouts"`
	Latency   []LatencyBucket `json:"took"`      // durations of paid checkouts
	Undecided []Undecided     `json:"undecided"` // oldest first; a limited number per shard
	Pending   int64           `json:"waiting"`   // number of all undecided orders, even if Undecided omits some
	Editable  bool            `json:"editable"`  // whether the console may change data
}

// CheckoutCount is the number of checkouts with one outcome and reason.
type CheckoutCount struct {
	Outcome string `json:"outcome"` // "paid", "refused" or "unknown"
	Reason  string `json:"reason"`  // name of an Error, or "" if paid
	Count   int64  `json:"count"`
}

// LatencyBucket is the number of checkouts that took at most Seconds.
type LatencyBucket struct {
	Seconds float64 `json:"seconds"`
	Count   int64   `json:"count"`
}

// Undecided is an order whose status is RUNNING, ABORTING or REFUNDING.
type Undecided struct {
	OrderID string `json:"order_id"`
	UserID  string `json:"user_id"`
	Shard   int    `json:"shard"`
	Status  string `json:"status"`
	AgeMS   int64  `json:"age_ms"` // time since the checkout or cancellation began, by the Redis clock
	// WaitingFor is the step that this instance could not complete, or nil if there is none.
	WaitingFor *Waiting `json:"waiting_for,omitempty"`
}
