package saga

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/api"
	"checkout/common/metrics"
	"checkout/order/store"
)

// Metrics counts sagas. All series except those of refused checkouts start with 0 before the first saga, because rates
// and alerts need a value before the first event.
type Metrics struct {
	metrics.Group
	checkouts                                      *prometheus.CounterVec
	durations                                      *prometheus.HistogramVec
	paid                                           prometheus.Counter
	paidDuration, refusedDuration, unknownDuration prometheus.Observer
	cancellations, recovered                       *prometheus.CounterVec
	confirmed, unreadable                          prometheus.Counter
	steps                                          steps
	waiting                                        *waiting
}

// The type "steps" has the metrics of each step: forward steps, compensation and cancellation.
type steps struct {
	begin, reserveCredit, reserveStock, commit         stepMetrics
	refuse, abort, releaseStock, releaseCredit, closed stepMetrics
	refundStock, refundCredit, cancelled               stepMetrics
}

// stepMetrics has the name and the metrics of one step of a saga.
type stepMetrics struct {
	name, service  string // service: the service whose shards the step needs
	duration       prometheus.Observer
	retries        prometheus.Counter
	waiting        *waiting
	order, attempt string // set by the method "of"
}

// The method "of" returns the metrics of the step for one attempt.
func (m stepMetrics) of(a *attempt) stepMetrics {
	m.order, m.attempt = a.orderID, a.id
	return m
}

// The method "failed" records a failed try of the step. It takes the start time of the step and, if known, the shards
// without a result.
func (m stepMetrics) failed(since time.Time, shards []int) { m.waiting.failed(m, since, shards) }

// The method "done" records the duration of one step that began at the given time, and the number of its retries.
func (m stepMetrics) done(start time.Time, retries int) {
	m.duration.Observe(time.Since(start).Seconds())
	if retries > 0 {
		m.retries.Add(float64(retries))
	}
}

func newMetrics() *Metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	histogram := func(name, help, label string) *prometheus.HistogramVec {
		opts := prometheus.HistogramOpts{Name: name, Help: help, Buckets: metrics.LatencyBuckets()}
		return prometheus.NewHistogramVec(opts, []string{label})
	}
	m := &Metrics{
		checkouts: counter("checkouts_total",
			"Checkouts by outcome: paid, refused or unknown. Concurrent callers for an order count once.", "outcome", "reason"),
		durations: histogram("checkout_duration_seconds", "Time until a checkout was decided or timed out.", "outcome"),
		recovered: counter("checkout_recoveries_total",
			"Undecided orders that a recovery worker claimed, by their state and whether the worker decided them.",
			"state", "decided"),
		cancellations: counter("checkout_cancellations_total", "Cancellations of paid orders, by outcome.", "outcome"),
		confirmed: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "checkout_confirmed_total", Help: "Decided attempts whose records were confirmed."}),
		unreadable: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "checkout_unreadable_entries_total",
			Help: "Undecided orders and entries of the set \"unconfirmed\" that could not be read. Each try is counted."}),
	}
	stepDurations := histogram("checkout_step_duration_seconds",
		"Duration of one step of a saga, including retries.", "step")
	stepRetries := counter("checkout_step_retries_total",
		"Retries of a step of a saga after a lost reply or an unknown outcome.", "step")
	m.Group = metrics.Group{
		m.checkouts, m.durations, stepDurations, stepRetries, m.recovered, m.cancellations, m.confirmed,
		m.unreadable,
	}

	m.paid = m.checkouts.WithLabelValues("paid", "")
	m.checkouts.WithLabelValues("unknown", api.Unavailable.Name)
	m.paidDuration = m.durations.WithLabelValues("paid")
	m.refusedDuration = m.durations.WithLabelValues("refused")
	m.unknownDuration = m.durations.WithLabelValues("unknown")
	for _, state := range []string{store.StateRunning, store.StateAborting, store.StateRefunding} {
		for _, decided := range []bool{false, true} {
			m.recovered.WithLabelValues(recoveryLabels(state, decided)...)
		}
	}
	for _, outcome := range []string{"cancelled", "refused", "unknown"} {
		m.cancellations.WithLabelValues(outcome)
	}

	m.waiting = &waiting{byID: map[string]waitingStep{}}
	step := func(name string) stepMetrics {
		service := "order"
		switch {
		case strings.HasSuffix(name, " credit"):
			service = "payment"
		case strings.HasSuffix(name, " stock"):
			service = "stock"
		}
		return stepMetrics{
			name: name, service: service, waiting: m.waiting,
			duration: stepDurations.WithLabelValues(name), retries: stepRetries.WithLabelValues(name),
		}
	}
	m.steps = steps{
		begin: step("begin"), commit: step("commit"), refuse: step("refuse"), abort: step("abort"),
		reserveCredit: step("reserve credit"), reserveStock: step("reserve stock"),
		releaseStock: step("release stock"), releaseCredit: step("release credit"), closed: step("close"),
		refundStock: step("refund stock"), refundCredit: step("refund credit"), cancelled: step("cancelled"),
	}
	return m
}

// countCheckout counts a checkout that arrived at the time start and ended with err. If the client disconnected before
// the checkout began, countCheckout does nothing: no attempt has begun, so the checkout must not count as unknown.
func (m *Metrics) countCheckout(start time.Time, err error) {
	if errors.Is(err, errClientDisconnected) {
		return
	}
	seconds := time.Since(start).Seconds()
	if err == nil {
		m.paid.Inc()
		m.paidDuration.Observe(seconds)
		return
	}
	if unknown(err) {
		m.checkouts.WithLabelValues("unknown", api.Unavailable.Name).Inc()
		m.unknownDuration.Observe(seconds)
		return
	}
	failure, _ := errors.AsType[*api.Error](err)
	m.checkouts.WithLabelValues("refused", failure.Name).Inc()
	m.refusedDuration.Observe(seconds)
}

// The function "unknown" reports whether a checkout that ended with err has an unknown outcome.
func unknown(err error) bool {
	failure, ok := errors.AsType[*api.Error](err)
	return err != nil && (!ok || failure == api.Unavailable)
}

// countRecovery counts an undecided order that a worker has claimed, by the state of the order at that time, and by
// whether the worker has decided the order.
func (m *Metrics) countRecovery(state string, decided bool) {
	m.recovered.WithLabelValues(recoveryLabels(state, decided)...).Inc()
}

func recoveryLabels(state string, decided bool) []string {
	return []string{strings.ToLower(state), strconv.FormatBool(decided)}
}

func (m *Metrics) countCancellation(result api.OrderPayment) {
	outcome := "refused"
	switch result {
	case api.Cancelled:
		outcome = "cancelled"
	case api.PaymentUnknown, api.PaymentUnavailable:
		outcome = "unknown"
	}
	m.cancellations.WithLabelValues(outcome).Inc()
}

// Outcomes returns the number of checkouts by outcome.
func (m *Metrics) Outcomes() []api.CheckoutCount {
	outcomes := []api.CheckoutCount{}
	metrics.Each(m.checkouts, func(labels map[string]string, m *dto.Metric) {
		outcomes = append(outcomes, api.CheckoutCount{
			Outcome: labels["outcome"], Reason: labels["reason"], Count: int64(m.GetCounter().GetValue()),
		})
	})
	return outcomes
}

// Latency returns the cumulative histogram of the durations of paid checkouts.
func (m *Metrics) Latency() []api.LatencyBucket {
	buckets := []api.LatencyBucket{}
	metrics.Each(m.durations, func(labels map[string]string, m *dto.Metric) {
		if labels["outcome"] != "paid" {
			return
		}
		for _, bucket := range m.GetHistogram().Bucket {
			buckets = append(buckets,
				api.LatencyBucket{Seconds: bucket.GetUpperBound(), Count: int64(bucket.GetCumulativeCount())})
		}
	})
	return buckets
}
