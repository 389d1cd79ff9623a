// Package model explores the checkout protocol exhaustively. The model covers every sequence of script calls, with any
// loss, delay, duplication and crash, in configurations that are small enough for a complete exploration. The model
// verifies the protocol, not the code. Model.Walk connects the protocol and the code: a test replays the steps of a
// walk on the real scripts, which must return the same codes and reach the same states.
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
// which is the strictest case for the invariants. Model.Live with Config.Forget covers the opposite case: all processes
// may die, and recovery starts without knowledge.
//
// # Time
//
// The passing of a time limit is an event. Each shard has its own event, which may happen as soon as the
// protocol allows.
//
// For an attempt's reservation on a shard, one event represents both the deadline and the expiry of the record.
// While the record exists, scripts return the record and ignore the deadline. The record expires after the
// deadline, so reserve returns EXPIRED after the event. The model assumes that no shard's clock is set back by
// more than 60 s, the time between deadline and expiry.
//
// For a refund on a shard, one event represents all not-after times and the expiry of the record. A refund message
// after its not-after time returns EXPIRED and has no effect, like a lost message. The record expires after every
// not-after time.
//
// A script may find a lease valid or expired at any time, because safety does not depend on leases.
//
// # Simplifications
//
// There is one order. Orders share only counters, so other clients (rivals) represent all other orders: they take units
// from the counters and return them at any time. A cart costs one unit of credit, and one unit of stock on each of its
// stock shards. The two stock shards are interchangeable: if two states differ only in the names of the stock shards,
// the explorer visits only one of these states. Attempts are numbered in the order in which they are minted.
//
// # Details, beyond docs/protocol.md
//
//   - If commit, abort or refuse finds the order OPEN, and the attempt of the call is still the order's current
//     attempt, then the attempt was closed. The client gets 4xx with the reason of this attempt.
//   - If begin returns NOT_FOUND, or returns REFUNDING or CANCELLED for another attempt, the client gets 4xx,
//     because its attempt was not paid. Exception: an earlier call of begin started the attempt, but its reply was
//     lost. Then the client gets 503, because the attempt may have been PAID before a batch_init overwrote the
//     order.
//   - If begin returns REFUNDING or CANCELLED for the attempt of the call, the client gets 200, because the order was
//     paid.
//   - If a request that joined an attempt gets 4xx, the response has the reason of this attempt. A late duplicate
//     of the request's call of begin may name the joined attempt as `after`. If the duplicate arrives after the
//     joined attempt was closed, it starts a new attempt. A client's retry may continue the new attempt; otherwise
//     recovery closes it.
//   - A process calls refuse only if begin returned STARTED to this process. If begin returned RESUMED, the process
//     aborts instead, because another process may have reserved stock.
//   - An entry leaves `unconfirmed` when every shard has replied to the confirm call.
//   - If the deadline of an attempt passed long ago and its record has expired, release returns RELEASED and stores
//     nothing.
//   - A cancellation refunds on all shards in any order. (The implementation refunds stock before credit.)
//   - batch_init of orders is explored in two variants. With ResetFresh, the order gets a fresh attempt, and a
//     call of begin that was sent before the reset may arrive after the reset. With ResetQuiet, as in the
//     implementation, the order gets no attempt, and no such call arrives. In both variants, all other messages
//     from before the reset may arrive later.
//   - batch_init of items and users is not explored. Such a batch_init overwrites the counters, so conservation
//     does not hold across the call.
package model
