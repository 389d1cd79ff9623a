package saga

import (
	"fmt"

	"checkout/common/api"
)

// stepError is the error of a saga whose outcome is unknown because a step got no result. The text of the error is part
// of the response. The log also contains the cause.
type stepError struct {
	order, attempt, step string
	err                  error // wraps api.Unavailable
	cause                string
	shown                string // replaces the cause in events, if the cause contains addresses
}

func (e *stepError) Error() string {
	return fmt.Sprintf("order %s: step %q: %v", e.order, e.step, e.err)
}
func (e *stepError) Unwrap() error { return e.err }

// LogAttrs returns the attributes of the log line about the failed request.
func (e *stepError) LogAttrs() []any {
	attrs := []any{"order", e.order, "step", e.step, "cause", e.cause}
	if e.attempt != "" {
		attrs = append(attrs, "attempt", e.attempt)
	}
	return attrs
}

// Some values of stepError.err.
var (
	errShardDown    = fmt.Errorf("a shard is unhealthy or refuses writes: %w", api.Unavailable)
	errNoReply      = fmt.Errorf("no reply from the shard before the timeout: %w", api.Unavailable)
	errStillRunning = fmt.Errorf("another attempt is still running: %w", api.Unavailable)
)

// unknownOutcome returns the error of a step with the outcome o, which is UNKNOWN or, for a refund, EXPIRED.
func (a *attempt) unknownOutcome(m stepMetrics, p Participant, o api.Outcome) error {
	e := &stepError{
		order: a.orderID, attempt: a.id, step: m.name, err: api.Unavailable, cause: "no final result before the timeout",
	}
	if a.shardHangs && o.Reason == api.NoReason {
		o.Reason = api.ShardHangs
	}
	peer, _ := p.(interface{ Unavailable() string })
	switch o.Reason {
	case api.ShardDown, api.ShardHangs:
		e.err, e.cause = errShardDown, "a shard of the participant is unhealthy"
	case api.ShardRefuses:
		e.err, e.cause = errShardDown, "a shard of the participant refuses writes"
	}
	switch {
	case o.Code == api.Expired:
		e.cause = "the participant returned EXPIRED: the message arrived too late and changed nothing"
	case peer != nil && peer.Unavailable() != "":
		e.cause, e.shown = peer.Unavailable(), "no instance of the participant is healthy"
	}
	if a.gaveUp() {
		e.cause += "; before this step, the attempt was aborted because a reservation had no result or the coordinator died"
	}
	return e
}
