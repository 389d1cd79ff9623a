// Package check verifies that a system has kept its promises. The package compares the content of Redis with the
// clients' deposits and with the responses that clients received. It reads Redis directly, because a faulty service
// may report wrong data.
//
//	client.go, response.go          requests and their responses
//	keyed.go                        requests with an idempotency key
//	history.go, request.go          the requests for one order, and contradictions between their responses
//	linear.go                       checks that a history is linearizable
//	payment.go                      a direct payment and its responses
//	shards.go                       connects to every Redis shard; waits until every order is decided
//	snapshot.go                     reads the content of every Redis shard
//	checkers.go, deposits.go        invariants of a snapshot, such as conservation of stock and credit
//	counters.go, counter_steps.go   checks the script replies of each counter
package check
