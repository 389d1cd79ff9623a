// Package stack starts the whole system on one host: a real redis-server for every shard (or three nodes, each with a
// keeper), the real binaries of every service instance, and a real nginx with the project's nginx.conf.
//
// `make up`, the end-to-end tests, the fault runs and the load generator all use this package, so that tests run the
// real system. A caller can stop, kill, pause and restart each component by its name. A restarted component has the
// same ports and data. The gateway is "nginx". Instance 1 of the order service is "order-1"; instances count from 1, as
// in MACHINE_ID. Shard 0 of the order service is "redis-order-0"; shards count from 0, as in IDs. The nodes of a
// replicated shard are "redis-order-0-0" to "redis-order-0-2", with the keepers "keeper-order-0-0" to
// "keeper-order-0-2".
//
// Everything listens on the loopback interface only. When the process that uses this package ends, even by SIGKILL, all
// processes of the system end: see reaper.go.
package stack
