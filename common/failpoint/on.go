//go:build faults

package failpoint

import (
	"context"
	"fmt"

	"checkout/common/api"
)

type roleKey struct{}

// WithRole returns a context whose steps belong to a role, such as "recovery". The default role is "coordinator".
func WithRole(ctx context.Context, role string) context.Context {
	return context.WithValue(ctx, roleKey{}, role)
}

// Reached marks the end of a step. The subject is an order, an attempt, or a list of unconfirmed attempts. After an
// error, the caller must treat the reply as lost. For a step on the order's own shard, participant is empty.
func Reached(ctx context.Context, subject any, step, participant string) error {
	role, ok := ctx.Value(roleKey{}).(string)
	if !ok {
		role = "coordinator"
	}
	point := role + " " + step
	if participant != "" {
		point += " " + participant
	}
	if !control.pass(point, subject) {
		return fmt.Errorf("fail point %s: %w", point, api.Unavailable)
	}
	return nil
}

// Reply marks the end of a step, as Reached does. It returns reply, or the zero value if the fail point drops it.
func Reply[T any](ctx context.Context, subject any, step, participant string, reply T) T {
	if Reached(ctx, subject, step, participant) != nil {
		var none T
		return none
	}
	return reply
}

// LostReply is the panic value of ParticipantReached. Package web recovers this panic and closes the connection.
type LostReply struct{}

// ParticipantReached marks a stage of a step in a participant, such as "received" or "done". To discard a reply, it
// panics with LostReply.
func ParticipantReached(subject any, step, stage string) {
	if !control.pass("participant "+step+" "+stage, subject) {
		panic(LostReply{})
	}
}

// WaitWhilePaused waits until no step of the order or the attempt is paused. The goroutine that renews a lease calls
// WaitWhilePaused, because a paused step simulates a paused process, and a paused process renews no leases.
func WaitWhilePaused(order, attempt string) { control.waitWhilePaused(order, attempt) }
