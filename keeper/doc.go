// Command keeper guards one Redis node of a replicated shard. The three keepers of a shard elect the primary, so that
// the shard survives the loss of a machine or a disk without losing an acknowledged write.
//
// This is the rule in short. docs/replication.md explains it, and package rule implements it.
//
//   - R1: each batch of commands of a service ends with INCR {t}seq, WAIT 1 and WAITAOF 1 1. The service returns no
//     reply of the batch before two of three nodes have the batch on disk. {t} is the hash tag of the shard, such as
//     {o0}.
//   - R2: the position of a node is ({t}epoch, {t}seq) in its data. The first write of a new primary is its epoch.
//   - R3: a candidate and each voter store a promise of the epoch, freeze their Redis, and only then read its position.
//     A voter grants its vote if the candidate is not behind. Two of three nodes elect a primary.
//     The promotion closes all connections of clients.
//   - R4: a node follows only a primary whose epoch is at least the node's promise and at least the epoch of its data.
//     Each Redis starts frozen (--replicaof 127.0.0.1 1), and only its own keeper controls it.
//   - R5: a node without an epoch is empty. It neither votes nor stands for election. If it has no promise either, it
//     follows a primary only if both other nodes have promised the epoch of this primary. The command keeper init makes
//     the first primary. All three nodes must promise its epoch.
//
// # Restarts
//
// The state file contains the promise. It must be on the same disk as the data, so that both are lost together. When a
// keeper starts, it compares the file with the data:
//
//   - A file, and data with an epoch up to the promise: the normal case. If the Redis still is the primary of the
//     promised epoch, in the same process that was elected, then it stays primary.
//   - Neither a file nor an epoch: a new node, or a lost disk. R5 applies.
//   - A file, but no epoch: the node has not completed its first copy of the data. Its promise is valid, and the node
//     is empty.
//   - An epoch, but no file: the promise is lost, and the node may have voted in an epoch that it does not know. The
//     keeper exits with an error. If you delete the data of the node, the node copies the data of the primary.
//   - An epoch above the promise: the file is older than the data, so the keeper exits as well. There is one exception:
//     a Redis that still follows a node may have received a newer epoch while its keeper was not running. The keeper
//     then promises that epoch.
//   - A file that is unreadable, or names another shard or node: the keeper exits with an error.
//
// A running keeper holds a lock (flock) on a file beside the state file, so that a second keeper with the same state
// file exits with an error.
//
// A Redis that restarts is never primary again without an election, even if its data are complete: replicas may have
// writes that the old process had not synced. A keeper that has a promise freezes its Redis if the Redis accepts writes
// without being elected.
//
// # Health
//
// A primary sends a beat to the other keepers ten times a second, but only while its Redis replies. A replica that
// misses beats for 1 to 1.5 s stands for election. The keeper of a primary resigns if its Redis has died, or if it
// hands over (SIGTERM, keeper handover). It also resigns if no replica acknowledges its writes for 3 s although another
// node could be primary. After a resignation, the replica with the most data stands for election at once. Time decides
// only when an election begins. No decision of R1–R5 depends on a clock.
//
// If two nodes are lost at the same time, the shard stops until one of them is back with its data.
//
// # Init
//
// keeper init makes the node of a running keeper the first primary. Both other nodes must be reachable, empty and
// without a promise; this node may have the data of a single shard. The command can be repeated on this node in two
// cases:
//
//   - The first command was interrupted before the node became the primary.
//   - The first primary restarts before another node has copied its data. It cannot be elected, because the other nodes
//     are empty and do not vote. The command fails if one of the other nodes may have acknowledged a write: that node
//     has lost its disk, or a copy of the data to it was interrupted.
package main
