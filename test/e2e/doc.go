// Package e2e tests the whole system from outside: the real binaries, built with the race detector, real Redis and real nginx,
// each test on a system of its own that package stack starts.
//
// Package check tells whether what lies in Redis and what clients were told agree; that its checkers find hand-made violations is
// shown here. Faults come as signals to the parts, or by taps: proxies between a service and its Redis that hold, lose or delay
// exactly one command. Customers that keep a system busy come from package shop.
//
//	main_test.go, system_test.go, client_test.go   a system, and its clients
//	shop_test.go, tapped_test.go                   one with customers; one with taps
//	bite_test.go                                   the checkers find what is wrong
//	mistakes_test.go                               the list of the predecessor's mistakes, and where each is tested
package e2e
