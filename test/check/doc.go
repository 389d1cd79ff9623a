// Package check decides whether a system has kept its promises. It compares what Redis contains with what clients put
// in and with the responses that they received. It reads Redis directly, because a service that is wrong about its data
// must not testify about it.
//
//	client.go, response.go          requests and their responses
//	keyed.go                        several requests with one idempotency key
//	history.go, request.go          the requests about one order, and simple contradictions between them
//	linear.go                       whether one order can have such a history
//	payment.go                      a direct payment
//	shards.go                       connections to every Redis; waiting until everything is decided
//	snapshot.go                     the content of every Redis
//	checkers.go, deposits.go        invariants of a snapshot, such as conservation of stock and credit
//	counters.go, counter_steps.go   whether one counter can have sent the replies that Redis sent
package check
