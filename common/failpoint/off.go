//go:build !faults

package failpoint

import "context"

// WithRole returns a context whose steps belong to a role, such as "recovery". The default role is "coordinator".
func WithRole(ctx context.Context, role string) context.Context { return ctx }

// Reached marks the end of a step on a subject: an order, an attempt, or a list of unconfirmed attempts. A non-nil
// error means that the caller must treat the reply as lost. The argument participant is empty for a step on the order's
// own shard.
func Reached(ctx context.Context, subject any, step, participant string) error { return nil }

// Reply is like Reached for a step with a reply. It returns the reply, or the zero value if the reply is lost.
func Reply[T any](ctx context.Context, subject any, step, participant string, reply T) T {
	return reply
}

// ParticipantReached marks a stage of a step in a participant, such as "received" or "done". It does nothing in this
// build.
func ParticipantReached(subject any, step, stage string) {}

// WaitWhilePaused waits until no step of the order or the attempt is paused. The goroutine that renews a lease calls
// WaitWhilePaused, because a paused step simulates a paused process, and a paused process renews no leases.
func WaitWhilePaused(order, attempt string) {}
