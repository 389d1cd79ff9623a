package api

// Overview is how one machine of a service stands, for people who look at it. What is counted is counted since it started.
type Overview struct {
	Service  string           `json:"service"`
	Machine  string           `json:"machine"` // "i/N"
	Shards   []ShardState     `json:"shards"`
	Modulus  int              `json:"modulus"`        // of decimal IDs; 0: not known at the moment
	Requests map[string]int64 `json:"requests"`       // answers of the public door, by status
	Saga     *Sagas           `json:"saga,omitempty"` // of the order service
}

// Sagas is how the checkouts of an order machine went, and what is not decided on any shard that it reaches.
type Sagas struct {
	Checkouts []Checkouts `json:"checkouts"`
	Took      []Took      `json:"took"`      // paid checkouts, by how long they took
	Undecided []Undecided `json:"undecided"` // some of them, the longest due first
	Waiting   int64       `json:"waiting"`   // how many there are; those under way are among them
	Editable  bool        `json:"editable"`  // whether the console offers to change anything
}

// Checkouts counts those of one outcome: "paid", "refused" or "unknown", for a reason that is the name of a problem.
type Checkouts struct {
	Outcome string `json:"outcome"`
	Reason  string `json:"reason"`
	Count   int64  `json:"count"`
}

// Took counts what took at most so long.
type Took struct {
	Seconds float64 `json:"seconds"`
	Count   int64   `json:"count"`
}

// Undecided is an order that is being checked out or cancelled, or was left so.
type Undecided struct {
	OrderID string `json:"order_id"`
	UserID  string `json:"user_id"`
	Shard   int    `json:"shard"`
	Status  string `json:"status"`
	AgeMS   int64  `json:"age_ms"` // since its attempt or cancellation began, by Redis TIME
}
