// Command bench measures the whole system on one machine: `make bench`, `make bench-check`, or go run ./test/bench.
//
// It starts the system by checkout/test/stack (or uses a running one, with -gateway), prepares users, items and orders
// through the public API, and then checks every order out once, through the gateway, in a closed loop: each client
// sends its next request when it has its answer. Slices of checkouts alternate with slices of empty requests
// (GET /orders/) from the same number of clients, so that every figure is also a ratio: what a checkout costs in empty
// requests on that machine at that time. Afterwards every order, user and item is read back and must add up.
//
// The generator shares the processors with what it measures, so it is one thread with epoll (drive.go) and its own
// reader of HTTP/1.1 (response.go).
//
// With -suite, as `make bench` calls it, it measures everything: the closed loop with 1 to 512 clients, an open loop at several
// rates (pace.go: the time of an answer counts from when its request was due, so that coordinated omission hides nothing), carts
// of 1 to 50 items, systems of 1 to 4 shards in turn, reads and simple writes, refusals, batch_init. It writes REPORT.md, SVG plots
// and figures.json into a folder; with -check it compares its ratios with kept ones and fails where one is worse by more than 15 %.
//
// It fails, with status 1, if a checkout was answered by anything but 200 or if something does not add up.
package main
