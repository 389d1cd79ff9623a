// Package model explores the checkout protocol exhaustively: every order of script calls, with any loss, delay,
// duplication and crash, in configurations that are small enough to finish. It proves the protocol, not the code.
// Walk connects the two: a test replays its steps on the real scripts, which must return the same codes and reach the
// same states.
//
// # States
//
// A state holds the order's record, the counters and records of each participant shard, and knowledge. When a script
// returns a reply, all coordinators know it forever. Each of them may act on it at any later time, or never. This
// single rule covers:
//
//   - any number of coordinators, recovery workers and retries of clients: what one may do, another with more
//     knowledge may do;
//   - lost, delayed, duplicated and replayed messages: once a message may be sent, it may arrive at any time, any
//     number of times;
//   - a process that stops between two instructions: no allowed step has to happen.
//
// The rule is sound because each step of the protocol needs a reply, and never the absence of one: more knowledge
// only allows more steps. The state also holds what clients were answered. They are answered as soon as the protocol
// allows it, which is the strictest case for the invariants. Liveness is the opposite: there all processes may die,
// and recovery starts without knowledge.
//
// # Time
//
// The passing of a time limit is an event that may happen whenever the protocol allows it, on each shard
// independently. An attempt's deadline on a shard and the expiry of its record there are one event. While the record
// exists, scripts return it whatever the deadline. Afterwards they return EXPIRED, because the expiry is later than
// the deadline. This holds unless a shard's clock is set back by more than the 60 s between the two. The not-after
// times of refunds are treated the same way: a refund beyond its own is EXPIRED, which equals a lost message, until
// the record expires, by which time all refunds are beyond theirs. Whether a lease has expired is decided when a
// script asks: the lease saves work and has no other effect.
//
// # Simplifications
//
// There is one order. Orders share nothing but counters, and other clients (rivals) take from those and return it at
// any time. A cart costs one unit of credit, and one unit of stock on each stock shard that it uses. The two stock
// shards are interchangeable: of two states that differ only in their names, one is explored. Attempts are numbered
// in the order in which they are minted.
//
// # Cases that the protocol's text leaves open
//
//   - A commit, abort or refuse that finds OPEN with its own attempt found it closed: the response is that attempt's
//     reason, a 4xx.
//   - A begin that returns NOT_FOUND, or REFUNDING or CANCELLED of another attempt, leads to a 4xx. If an earlier,
//     lost reply may have begun the attempt, this holds unless a batch_init came between, which may have wiped a
//     PAID; then the response is 503.
//   - A begin that returns REFUNDING or CANCELLED of its own attempt leads to a 200: the order was paid.
//   - A request that joined an attempt gets that attempt's reason. Its own begin may arrive late and still start an
//     attempt, if it named the joined attempt as `after` before that was closed. Only a client's retry continues
//     such an attempt; otherwise recovery closes it.
//   - An entry leaves `unconfirmed` when every shard has answered its confirm.
//   - A release of an attempt whose deadline and record are long past returns RELEASED and stores nothing.
//   - A cancellation refunds on all shards in any order.
//   - batch_init of orders is explored in two variants: with a fresh attempt in each order and earlier begins that
//     arrive after it (ResetFresh), and as implemented, as a reset that no begin outlives (ResetQuiet). Every other
//     message outlives both. batch_init of items and users overwrites the counters, so that conservation has no
//     meaning across it; it is not explored.
package model
