package main

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"checkout/common/api"
	"checkout/common/metrics"
)

// counts is what is counted of sagas. What a saga counts is made before the first one begins.
type counts struct {
	metrics.Group
	checkouts                *prometheus.CounterVec
	durations                *prometheus.HistogramVec
	paid                     prometheus.Counter
	tookPaid, tookRefused    prometheus.Observer
	tookUnknown              prometheus.Observer
	cancellations, recovered *prometheus.CounterVec
	confirmed                prometheus.Counter
	steps                    steps
}

// steps are the steps of a saga, forward, back and in reverse.
type steps struct {
	begin, reserveCredit, reserveStock, commit         *step
	refuse, abort, releaseStock, releaseCredit, closed *step
	refundStock, refundCredit, cancelled               *step
}

// step counts how long a step takes with all its repetitions, and these.
type step struct {
	took    prometheus.Observer
	retries prometheus.Counter
}

func newCounts() *counts {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: name, Help: help}, labels)
	}
	took := func(name, help, label string) *prometheus.HistogramVec {
		return prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: name, Help: help, Buckets: metrics.LatencyBuckets()}, []string{label})
	}
	checkouts := counter("checkouts_total", "Checkouts: paid; refused, for a reason; or unknown when their time had run out. Callers of the same order at the same time share one.", "outcome", "reason")
	durations := took("checkout_duration_seconds", "Time to decide a checkout, or to give up.", "outcome")
	stepTook := took("checkout_step_duration_seconds", "Time of one step of a saga, repetitions included.", "step")
	retries := counter("checkout_step_retries_total", "Retries of a step of a saga, after a lost reply or an unknown outcome.", "step")
	recovered := counter("checkout_recoveries_total", "Undecided orders that a recovery worker took upon itself, by the state it found, and whether it decided them.", "state", "decided")
	cancellations := counter("checkout_cancellations_total", "Cancellations of paid orders that were asked for, by outcome.", "outcome")
	confirmed := prometheus.NewCounter(prometheus.CounterOpts{Name: "checkout_confirmed_total", Help: "Decided attempts whose records were confirmed."})

	// What was never counted is told as 0: rates and alerts need a value before the first one.
	checkouts.WithLabelValues("unknown", api.Unavailable.Name)
	for _, state := range []string{stateRunning, stateAborting, stateRefunding} {
		for _, decided := range []bool{false, true} {
			recovered.WithLabelValues(recoveryLabels(state, decided)...)
		}
	}
	for _, outcome := range []string{"cancelled", "refused", "unknown"} {
		cancellations.WithLabelValues(outcome)
	}

	named := func(name string) *step { return &step{stepTook.WithLabelValues(name), retries.WithLabelValues(name)} }
	return &counts{
		Group:         metrics.Group{checkouts, durations, stepTook, retries, recovered, cancellations, confirmed},
		checkouts:     checkouts,
		durations:     durations,
		paid:          checkouts.WithLabelValues("paid", ""),
		tookPaid:      durations.WithLabelValues("paid"),
		tookRefused:   durations.WithLabelValues("refused"),
		tookUnknown:   durations.WithLabelValues("unknown"),
		cancellations: cancellations,
		recovered:     recovered,
		confirmed:     confirmed,
		steps: steps{
			begin: named("begin"), reserveCredit: named("reserve credit"), reserveStock: named("reserve stock"), commit: named("commit"),
			refuse: named("refuse"), abort: named("abort"), releaseStock: named("release stock"), releaseCredit: named("release credit"), closed: named("close"),
			refundStock: named("refund stock"), refundCredit: named("refund credit"), cancelled: named("cancelled"),
		},
	}
}

// checkout counts a checkout that began at start and was answered with err.
func (c *counts) checkout(start time.Time, err error) {
	seconds := time.Since(start).Seconds()
	if err == nil {
		c.paid.Inc()
		c.tookPaid.Observe(seconds)
		return
	}
	failure, ok := errors.AsType[*api.Error](err)
	if !ok || failure == api.Unavailable {
		c.checkouts.WithLabelValues("unknown", api.Unavailable.Name).Inc()
		c.tookUnknown.Observe(seconds)
		return
	}
	c.checkouts.WithLabelValues("refused", failure.Name).Inc()
	c.tookRefused.Observe(seconds)
}

// recovery counts an undecided order that a worker has found in a state and taken upon itself.
func (c *counts) recovery(state string, decided bool) {
	c.recovered.WithLabelValues(recoveryLabels(state, decided)...).Inc()
}

func recoveryLabels(state string, decided bool) []string {
	return []string{strings.ToLower(state), strconv.FormatBool(decided)}
}

// cancellation counts an answer to one who asked to undo a checkout.
func (c *counts) cancellation(answer api.OrderPayment) {
	outcome := "refused"
	switch answer {
	case api.Cancelled:
		outcome = "cancelled"
	case api.PaymentUnknown:
		outcome = "unknown"
	}
	c.cancellations.WithLabelValues(outcome).Inc()
}

// ended counts a step that began at start and was tried once, and so many times more.
func (s *step) ended(start time.Time, retries int) {
	s.took.Observe(time.Since(start).Seconds())
	if retries > 0 {
		s.retries.Add(float64(retries))
	}
}
