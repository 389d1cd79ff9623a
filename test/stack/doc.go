// Package stack starts the whole system on one machine: a real redis-server for every shard of every service, the real
// binaries of every machine of every service, and a real nginx with the project's own nginx.conf in front.
//
// `make up`, the end-to-end tests, the fault runs and the load generator all start it this way, so that what is tested
// is what runs. Every part has a name by which it can be stopped, killed, paused and started again on the same ports
// and data: "nginx"; "order-1", machine 1 (from 1, as in MACHINE_ID) of the order service; "redis-order-0", shard 0
// (from 0, as in IDs) of the order service.
//
// Everything listens on 127.0.0.1 only. Nothing outlives the process that started it, however that ends: see reaper.go.
package stack
