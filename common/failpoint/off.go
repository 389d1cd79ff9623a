//go:build !faults

package failpoint

import "context"

// WithRole returns a context whose steps belong to a role, such as "recovery". The default role is "coordinator".
func WithRole(ctx context.Context, role string) context.Context { return ctx }

// Reached marks the end of a step. The subject is an order, an attempt, or a list of unconfirmed attempts. After an
// error, the caller must treat the reply as lost. For a step on the order's own shard, participant is empty.
func Reached(ctx context.Context, subject any, step, participant string) error { return nil }

// Reply marks the end of a step, as Reached does. It returns reply, or the zero value if the fail point drops it.
func Reply[T any](ctx context.Context, subject any, step, participant string, reply T) T {
	return reply
}

// ParticipantReached marks a stage of a step in a participant, such as "received" or "done". It does nothing in this
// build.
func ParticipantReached(subject any, step, stage string) {}

// WaitWhilePaused waits until no step of the order or the attempt is paused. The goroutine that renews a lease calls
// WaitWhilePaused, because a paused step simulates a paused process, and a paused process renews no leases.
func WaitWhilePaused(order, attempt string) {}
