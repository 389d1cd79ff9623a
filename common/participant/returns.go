package participant

import (
	"context"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/api"
	"checkout/common/metrics"
	"checkout/common/redis"
)

// returnMetrics counts amounts that release and refund did not return to a counter.
type returnMetrics struct {
	failures *prometheus.CounterVec
	metrics.Group
}

// Reasons why an amount was not returned: values of the metric's label "reason".
const (
	missingCounter = "missing"  // the counter does not exist any more; the step is recorded as done
	fullCounter    = "overflow" // the counter is too large; nothing is changed, and recovery retries
)

func newReturnMetrics() *returnMetrics {
	failures := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "participant_return_failures_total",
		Help: "Amounts that a release or refund did not return, because the counter does not exist (missing) or is too " +
			"large (overflow).",
	}, []string{"step", "reason"})
	for _, step := range []step{release, refund} {
		for _, reason := range []string{missingCounter, fullCounter} {
			failures.WithLabelValues(step.script.Name(), reason)
		}
	}
	return &returnMetrics{failures, metrics.Group{failures}}
}

// observe logs and counts the amounts that a release or refund did not return to a counter. A retry of the step counts
// the amounts again.
func (r *Reservations) observe(
	ctx context.Context, do step, attempt string, p *part, code api.Code, reply redis.Reply,
) {
	name := do.script.Name()
	if code == overflow {
		r.failures.WithLabelValues(name, fullCounter).Inc()
		slog.ErrorContext(ctx, "return an amount: a counter is too large; nothing changed, and recovery retries",
			"step", name, "attempt", attempt, "shard", p.shard, "lines", p.lines)
	}
	for i := 1; i < reply.Len(); i++ {
		counter := reply.String(i)
		for _, line := range p.lines {
			if p.at.Key(r.prefix+line.ID) == counter && line.Quantity > 0 {
				r.failures.WithLabelValues(name, missingCounter).Inc()
				slog.ErrorContext(ctx, "return an amount: the counter does not exist",
					"step", name, "attempt", attempt, "shard", p.shard, "counter", counter, "amount", line.Quantity)
			}
		}
	}
}
