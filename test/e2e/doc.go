// Package e2e tests the whole system from outside: the real binaries, built with the race detector, real Redis and real nginx,
// each test on a system of its own that package stack starts.
//
// What clients were told is kept in histories and compared with what lies in Redis, which is read directly: a service that is
// wrong about its data must not be its own witness. The checkers themselves are shown to find hand-made violations. Faults come
// as signals to the parts, or by taps: proxies between a service and its Redis that hold, lose or delay exactly one command.
//
//	main_test.go, system_test.go, client_test.go   a system, and its clients
//	snapshot_test.go, checkers_test.go             what lies in Redis, and what must hold of it
//	history_test.go, load_test.go                  what clients were told, and customers who are told much
//	tap_test.go, tapped_test.go, resp_test.go      faults of single commands
//	mistakes_test.go                               the list of the predecessor's mistakes, and where each is tested
package e2e
