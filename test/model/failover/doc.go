// Package failover explores the rule of replicated shards exhaustively: one shard of three nodes, whose keepers follow
// the rule in docs/replication.md. The model covers every sequence of batches, copies, elections and faults, in
// configurations that are small enough for a complete exploration. It verifies the rule, not the keeper.
//
// # What it shows about package model
//
// Package model assumes that a shard is one Redis whose acknowledged state never goes back. This package shows why
// this is also true for a replicated shard. The acknowledged state is the longest log that a reply has shown to a
// client (state.acked). The invariants are:
//
//   - Each reply extends the acknowledged state, or shows a part of it (state.reply). So all replies fit into one
//     sequence of batches.
//   - A primary has the acknowledged state of all earlier epochs.
//   - Without Config.AtOnce, the acknowledged state is on at least one disk, even after a disk was lost and replaced,
//     and a machine was then lost for good.
//
// The sequence also keeps the order in time: a batch that a client sends after a reply comes later than the batch of
// this reply. Otherwise the primary of the later batch would lack the acknowledged state, and a reply to this batch
// would violate the first invariant. Therefore the shard is linearizable. A batch without a reply may be in the
// sequence or not. In package model, this is a lost reply.
//
// Without Config.LateEpoch, the correct rule must also keep two lemmas:
//
//   - If no disk and no machine was lost, two disks have the acknowledged state.
//   - A position identifies a log: two nodes with the same epoch and write sequence have the same data.
//
// # States
//
// A log is everything that a Redis has executed. The logs form a tree, so the model stores only the name of the last
// entry of a log (tip). A node has a log in memory and a log on disk, a promise in the memory of its keeper and a
// promise on disk.
//
// Every batch ends with the write of its sequence number. Therefore even a batch that only reads is an entry of the
// log, and its reply follows the same rule as other replies. An instance may send batches to an old primary at any
// time.
//
// With fsync at every write, the append-only file lacks at most the last entries of the log in memory. The model
// chooses only at a restart how many entries the file has. Until then, node.disk is the part of the log that is
// certainly on disk. A reply extends this part. After a full copy, the file has the old log until Redis has rewritten
// the file.
//
// # Messages
//
// After a keeper was elected once, its beats may reach another keeper at any later time. A node that follows another
// one may stay attached while that node loses its role. These two assumptions cover late and repeated beats, a keeper
// that restarts while its Redis remains the primary, and a keeper that wrongly believes that its Redis is still the
// primary.
//
// A request for a vote and its reply are one step, because both nodes are frozen: their positions do not change.
//
// # Steps that the model omits
//
// No step has to happen. So the model omits events that only take possibilities away: the state before such an event
// allows the same steps, and more. These events are:
//
//   - A freeze: the handover on SIGTERM, stepping down, a restart that loses nothing.
//   - A promise without a vote: a vote that is refused or lost, a crash between the promise, the freeze and the reading
//     of the position.
//   - A restart of a keeper. The keeper forgets its candidacy, but no promise.
//   - A lost message.
//
// Config.Freezes adds the first two events nevertheless, as a check of this argument.
//
// The pre-vote and all times are omitted as well: they decide only whether an election happens.
//
// # Faults
//
// A Redis restarts with any part of its log that may be on disk. Restarts are not limited. A restart ends a candidacy,
// because the new process may have less data than at the start of the election.
//
// With Config.Interrupt, a full copy may be interrupted. Then the node has no data in memory, but its disk keeps its
// log, and a restart loads this log.
//
// A node that loses its disk loses its data and its promise. Without Config.AtOnce, the next disk is lost only after
// the replacement has a full copy on disk. In the model, a machine that is lost for good is a lost disk that is never
// replaced. With Config.AtOnce, two disks may be lost at the same time. This may destroy acknowledged batches, but then
// the shard must stop: no reply may contradict an earlier one.
//
// # Cases that are easy to get wrong
//
// Each of these cases is a mutation, with a violation that the explorer finds:
//
//   - A candidate has received a full copy, which is not on disk yet. Its Redis restarts with older data, and its
//     keeper makes it the primary (PromoteAfterRestart).
//   - A node follows a primary of epoch 1. This primary loses its role and is elected again in epoch 3, so the
//     node acknowledges batches of epoch 3 although it has promised only epoch 1. Then a late beat of epoch 2
//     reaches the node (FollowIgnoresData). The node must compare the epoch of the beat with the epoch in its
//     data, but only after its Redis is frozen, because the data may change until then (FollowBeforeFreeze).
//   - A node has voted and then has lost its disk. It may follow a primary only if both other nodes acknowledge
//     this primary. An acknowledgment from before the loss must not count, because it may be older than the vote
//     (EmptyJoinsByOldAgreement).
//   - The nodes of a new shard have no data. If a node without a promise may acknowledge a primary, two lost disks
//     look like a new shard, and an old primary of epoch 1 continues with these two nodes (EmptyAgrees). So keeper
//     init gives all three nodes a promise.
//   - The first primary restarts before another node has a copy. No other node may vote for it, because the other nodes
//     are empty (InitOnce). Therefore keeper init can run again, with a higher epoch, which all three nodes promise.
//   - A full copy is interrupted after the node has dropped the data in its memory, but its disk may have acknowledged
//     batches. If keeper init runs again and counts such nodes as empty, it loses these batches (InitIgnoresDisk).
//   - A client's connection survives a promotion. One half of a batch is executed before the node is frozen, the other
//     half after the node is elected again. The batch is acknowledged, although its first half is gone
//     (PromoteKeepsConnections). WAIT compares only offsets, so it does not detect the loss.
//   - A Redis that restarts from its append-only file has forgotten its replication history. So it needs a full
//     copy, and sends no data to another node before it has received this copy. The rule depends on this behavior
//     (RestartKeepsHistory). If a primary announced itself only after its epoch was on its own disk, the rule
//     would not depend on it.
//
// # Simplifications
//
// There are three nodes. A batch is one atomic entry, because no command of a batch gets a reply if the write of the
// batch's sequence number is missing. If a node continues its log without a full copy, its log is a prefix of the log
// of its source. Redis ensures this by replication ID and offset. States that differ only in the numbers of the nodes
// are one state.
package failover
