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
}

// Overview is the state of one instance, for the console. Counters start at 0 when the instance starts.
type Overview struct {
	Service  string           `json:"service"`
	Instance string           `json:"machine"` // "i/N"
	Shards   []ShardState     `json:"shards"`
	Modulus  int              `json:"modulus"`        // decimal ID n is on shard n modulo Modulus; 0 if unknown
	Requests map[string]int64 `json:"requests"`       // responses on the public port, by status
	Saga     *SagaOverview    `json:"saga,omitempty"` // set by the order service only
}

// SagaOverview counts the checkouts of one order instance and lists undecided orders of all its shards.
type SagaOverview struct {
	Checkouts []CheckoutCount `json:"checkouts"`
	Latency   []LatencyBucket `json:"took"`      // durations of paid checkouts
	Undecided []Undecided     `json:"undecided"` // oldest first; the list may be incomplete
	Pending   int64           `json:"waiting"`   // number of undecided orders, including those whose checkout is running
	Editable  bool            `json:"editable"`  // whether the console may change data
}

// CheckoutCount is the number of checkouts with one outcome and reason.
type CheckoutCount struct {
	Outcome string `json:"outcome"` // "paid", "refused" or "unknown"
	Reason  string `json:"reason"`  // name of an Error
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
}
