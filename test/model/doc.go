// Package model explores the checkout protocol exhaustively. The model covers every order of script calls, with any
// loss, delay, duplication and crash, in configurations that are small enough to finish. The model verifies the
// protocol, not the code. Walk connects protocol and code: a test replays the steps of a walk on the real scripts,
// which must return the same codes and reach the same states.
//
// # States
//
// A state contains the order's record, the counters and records of each participant shard, and knowledge. When a script
// returns a reply, all coordinators know the reply forever. Each coordinator may act on the reply at any later time, or
// never. This single rule covers:
//
//   - Any number of coordinators, recovery workers and client retries. A process with more knowledge may do everything
//     that a process with less knowledge may do.
//   - Lost, delayed, duplicated and replayed messages. Once a message may be sent, it may arrive at any time, any
//     number of times.
//   - A process that stops between two instructions. No allowed step is required to happen.
//
// The rule is sound because no step of the protocol depends on the absence of a reply. More knowledge therefore only
// allows more steps.
//
// The state also contains the responses that clients got. A client gets its response as soon as the protocol allows,
// which is the strictest case for the invariants. Live uses the opposite assumption: all processes may die, and
// recovery starts without knowledge.
//
// # Time
//
// The passing of a time limit is an event. Each shard has its own event, which may happen as soon as the
// protocol allows.
//
// For an attempt's reservation on a shard, one event represents both the deadline and the expiry of the record. While
// the record exists, scripts return the record and ignore the deadline. Later, scripts return EXPIRED, because the
// record expires after the deadline. The model assumes that no shard's clock is set back by more than 60 s, the time
// between deadline and expiry.
//
// For a refund on a shard, one event represents all not-after times and the expiry of the record. A refund message
// after its not-after time returns EXPIRED and has no effect, like a lost message. The record expires after every
// not-after time.
//
// A script decides freely whether a lease has expired. A lease only saves work.
//
// # Simplifications
//
// There is one order. Orders share only counters, so other clients (rivals) represent all other orders: they take units
// from the counters and return them at any time. A cart costs one unit of credit, and one unit of stock on each of its
// stock shards. The two stock shards are interchangeable: if two states differ only in the names of the stock shards,
// the explorer visits only one of these states. Attempts are numbered in the order in which they are minted.
//
// # Cases that docs/protocol.md leaves open
//
//   - If commit, abort or refuse finds the order OPEN with its own attempt, the attempt was closed. The client gets 4xx
//     with that attempt's reason.
//   - If begin returns NOT_FOUND, or REFUNDING or CANCELLED of another attempt, the client gets 4xx. There is one
//     exception: an earlier begin call, whose reply was lost, may have started the attempt. Since then a batch_init may
//     have overwritten the PAID order. In this case the client gets 503.
//   - If begin returns REFUNDING or CANCELLED of its own attempt, the client gets 200, because the order was paid.
//   - A request that joined an attempt gets that attempt's reason. The request's own begin call may arrive later and
//     still start an attempt, if the call named the joined attempt as `after` before the joined attempt was closed.
//     A client's retry may continue such an attempt; otherwise recovery closes it.
//   - Only a process to which begin returned STARTED calls refuse. After RESUMED, another process may have reserved
//     stock, so a process aborts instead.
//   - An entry leaves `unconfirmed` when every shard has replied to the confirm call.
//   - If the deadline and the record of an attempt are long past, release returns RELEASED and stores nothing.
//   - A cancellation refunds on all shards in any order.
//   - batch_init of orders is explored in two variants. With ResetFresh, the order gets a fresh attempt, and begin
//     calls sent before the reset may arrive after the reset. ResetQuiet is the implementation: these calls do not
//     arrive after the reset. In both variants, all other messages may arrive after the reset.
//   - batch_init of items and users is not explored. Such a batch_init overwrites the counters, so conservation
//     does not hold across the call.
package model
