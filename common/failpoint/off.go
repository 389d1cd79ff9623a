//go:build !faults

package failpoint

import "context"

// As tells who does the steps that are done with the context it returns.
func As(ctx context.Context, _ string) context.Context { return ctx }

// Reached tells that a step about something is done. An error says that its reply is lost: whoever waits for it knows nothing.
// of names the participant whose step it was; empty, the order's own shard.
func Reached(_ context.Context, _ any, _, _ string) error { return nil }

// Reply is Reached for a step that has a reply, of which the zero value means that there was none.
func Reply[T any](_ context.Context, _ any, _, _ string, reply T) T { return reply }

// Handling tells how far a participant is with a message: "received" or "done". It does not return if the reply is lost.
func Handling(_ any, _, _ string) {}

// Hold returns when nobody is paused about the order or the attempt: a process that is stopped renews no lease.
func Hold(_, _ string) {}
