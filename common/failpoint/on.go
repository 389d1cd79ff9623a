//go:build faults

package failpoint

import (
	"context"
	"fmt"

	"checkout/common/api"
)

type roleKey struct{}

// As tells who does the steps that are done with the context it returns.
func As(ctx context.Context, role string) context.Context {
	return context.WithValue(ctx, roleKey{}, role)
}

// Reached tells that a step about something is done. An error says that its reply is lost: whoever waits for it knows nothing.
// of names the participant whose step it was; empty, the order's own shard.
func Reached(ctx context.Context, about any, step, of string) error {
	role, ok := ctx.Value(roleKey{}).(string)
	if !ok {
		role = "coordinator"
	}
	point := role + " " + step
	if of != "" {
		point += " " + of
	}
	if !control.pass(point, about) {
		return fmt.Errorf("fail point %s: %w", point, api.Unavailable)
	}
	return nil
}

// Reply is Reached for a step that has a reply, of which the zero value means that there was none.
func Reply[T any](ctx context.Context, about any, step, of string, reply T) T {
	if Reached(ctx, about, step, of) != nil {
		var none T
		return none
	}
	return reply
}

// LostReply is what Handling panics with when the reply is lost; package web then cuts the connection.
type LostReply struct{}

// Handling tells how far a participant is with a message: "received" or "done". It does not return if the reply is lost.
func Handling(about any, step, far string) {
	if !control.pass("participant "+step+" "+far, about) {
		panic(LostReply{})
	}
}

// Hold returns when nobody is paused about the order or the attempt: a process that is stopped renews no lease.
func Hold(order, attempt string) { control.hold(order, attempt) }
