// Package check tells whether a system has kept its promises: what lies in its Redises, what must hold of that, and what its clients
// were told. The Redises are read directly: a service that is wrong about its data must not be its own witness.
//
//	client.go, answer.go   requests, and what came back
//	once.go                what was sent with an idempotency key, as one request
//	history.go, told.go    what the clients of one order were told, and what of it is a lie
//	linear.go              whether it can be told of one order at all
//	payment.go             likewise of a payment by hand
//	shards.go              eyes on the Redises; waiting until everything is decided
//	snapshot.go            everything that lies in them
//	checkers.go, goods.go  what must hold of it, and of what was put in
//	counters.go, counter_steps.go   whether what a Redis has said of a counter can be said of one
package check
