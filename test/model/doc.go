// Package model explores the checkout protocol exhaustively: every order of every script, under every loss, delay,
// duplication and death, in configurations small enough to be finished. It proves the protocol, not the code; what ties
// the two together is Walk, whose steps are replayed on the real scripts, where codes and states must agree.
//
// # What a state holds
//
// The order shard's record, each participant shard's counters and records, and what is known: a reply, once given, is
// known to every coordinator, for ever, and each of them may act on it at any later time, or never. That one
// idea covers all of these at once:
//
//   - any number of coordinators, recovery workers and clients' retries: what one of them may do, one that knows more may do;
//   - lost, delayed, duplicated and replayed messages: a message whose condition held once may arrive at any time, any number of times;
//   - a process stopped between any two instructions: nothing that is allowed ever has to happen.
//
// It is sound because every condition in the protocol is positive (a step needs a reply, never the absence of one), so that
// more knowledge only allows more. What clients were told about an attempt is part of the state; they are told it at the
// first moment at which the protocol allows it, which is the strictest moment to be held to it. (Liveness is the other way round: there
// everybody may die, and recovery starts from no knowledge.)
//
// # Time
//
// Every clock is an event that may happen at any moment at which it is allowed, each shard's independently of the others'.
// The deadline of an attempt on a shard and the end of its record there are one event: as long as there is a record it is returned,
// deadline or not, and from then on the answer is EXPIRED, because the end is later than the deadline. (It needs a shard's
// clock not to be set back by more than the 60 s between the two.)
// The not-after of refunds likewise: a refund beyond it is EXPIRED, which is a message lost, until the
// record's own end, by which time all are beyond it. The lease is decided when somebody asks: it saves work, nothing else.
//
// # What is simplified
//
// There is one order: orders share nothing but counters, and other customers (rivals) take from those and give back at any time.
// A cart costs one unit of credit and one unit of stock on each stock shard that it touches. The two stock shards are
// interchangeable, so that of two states which differ in their names only one is explored. Attempts are numbered as they are minted.
//
// # Cases that the protocol's text leaves open
//
//   - A commit, abort or refuse that finds OPEN with its own attempt has found it closed: that attempt's reason, a 4xx.
//   - A begin that answers NOT_FOUND, or REFUNDING or CANCELLED of another attempt, is a 4xx. If it may itself have begun earlier
//     (its first reply was lost), that holds as long as no batch_init came between, which may have wiped a PAID; with one it is a 503.
//   - A begin that answers REFUNDING or CANCELLED of its own attempt is a 200: it was paid.
//   - A joined request that is told the reason of the attempt it joined is told it about that attempt. Its own begin, if it read
//     that very attempt as `after` before it was closed and arrives late, may still start: nobody carries such an attempt on
//     but a client that asks again, and the recovery worker closes it otherwise.
//   - An entry leaves `unconfirmed` when every shard has answered its confirm.
//   - A release of an attempt whose deadline and record are long gone answers RELEASED and leaves nothing behind.
//   - The reverse saga gives back on all shards in any order.
//   - batch_init of the orders is explored in both readings: with a fresh attempt in each order against begins from before it
//     (ResetFresh), and as built, as a reset that no begin outlives (ResetQuiet); every other message outlives both.
//     batch_init of items and users overwrites the counters themselves; conservation has no meaning across it, so it is not here.
package model
