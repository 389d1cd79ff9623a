package saga

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/api"
	"checkout/common/shard"
)

// The metrics count each checkout once, by its outcome. They count each step once, and count its retries separately.
func TestSagaMetrics(t *testing.T) {
	t.Parallel()
	s := openShopWith(t, 2)
	ctx := context.Background()
	item, elsewhere, rich, poor := shard.Mint(0), shard.Mint(1), shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 2)
	s.set("{s1}i:"+elsewhere, 1)
	s.set("{p0}u:"+rich, 100)
	s.set("{p0}u:"+poor, 1)
	paid := s.order(rich, map[string]int64{item: 2})
	for _, id := range []string{
		paid,
		s.order(poor, map[string]int64{item: 1}),
		s.order(rich, map[string]int64{item: 1, elsewhere: 1}),
		s.order(shard.Mint(0), map[string]int64{item: 1}),
		s.order(rich, map[string]int64{shard.Mint(0): 1}),
		shard.Mint(0),
	} {
		s.co.Checkout(ctx, id, Request{})
	}
	s.cancel(s.co, paid, poor)
	s.cancel(s.co, paid, rich)
	want := `
		# HELP checkouts_total Checkouts by outcome: paid, refused or unknown. Concurrent callers for an order count once.
		# TYPE checkouts_total counter
		checkouts_total{outcome="paid",reason=""} 1
		checkouts_total{outcome="refused",reason="insufficient-credit"} 1
		checkouts_total{outcome="refused",reason="insufficient-stock"} 1
		checkouts_total{outcome="refused",reason="item-not-found"} 1
		checkouts_total{outcome="refused",reason="order-not-found"} 1
		checkouts_total{outcome="refused",reason="user-not-found"} 1
		checkouts_total{outcome="unknown",reason="unavailable"} 0
		# HELP checkout_cancellations_total Cancellations of paid orders, by outcome.
		# TYPE checkout_cancellations_total counter
		checkout_cancellations_total{outcome="cancelled"} 1
		checkout_cancellations_total{outcome="refused"} 1
		checkout_cancellations_total{outcome="unknown"} 0
	`
	names := []string{"checkouts_total", "checkout_cancellations_total"}
	if err := testutil.CollectAndCompare(s.co.Metrics, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}

	steps := stepCounts(t, s.co.Metrics)
	for name, n := range map[string]uint64{
		"begin": 6, "reserve credit": 5, "reserve stock": 3, "commit": 1, "refuse": 2, "abort": 2,
		"release stock": 1, "release credit": 2, "close": 2, "refund stock": 1, "refund credit": 1, "cancelled": 1,
	} {
		if steps[name] != n {
			t.Errorf("%s: counted %d steps, want %d", name, steps[name], n)
		}
	}

	s.payment.loseNext = 3
	s.set("{s0}i:"+item, 1)
	if err := s.co.Checkout(ctx, s.order(rich, map[string]int64{item: 1}), Request{}); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(s.co.steps.reserveCredit.retries); n < 3 {
		t.Errorf("counted %v retries after three messages to payment were lost, want at least 3", n)
	}
	if n := stepCounts(t, s.co.Metrics)["reserve credit"]; n != 6 {
		t.Errorf("reserve credit: counted %d steps, want 6, because a retry is not a separate step", n)
	}
}

// stepCounts returns how often each step was counted, by the name of the step.
func stepCounts(t *testing.T, c *Metrics) map[string]uint64 {
	t.Helper()
	families, err := gather(c)
	if err != nil {
		t.Fatal(err)
	}
	steps := map[string]uint64{}
	for _, m := range families["checkout_step_duration_seconds"].GetMetric() {
		steps[m.GetLabel()[0].GetValue()] = m.GetHistogram().GetSampleCount()
	}
	return steps
}

func TestBacklogMetrics(t *testing.T) {
	s := openShop(t)
	ctx := context.Background()
	id := s.order("U", map[string]int64{"0": 1})
	if _, err := s.store.Begin(ctx, id, "A", ""); err != nil {
		t.Fatal(err)
	}
	s.at("{o0}").HIncrBy(ctx, "{o0}o:"+id, "dl", -40_000)
	families, err := gather(NewBacklog(s.store))
	if err != nil {
		t.Fatal(err)
	}
	value := func(name string) float64 {
		m := families[name].GetMetric()
		if len(m) != 1 || m[0].GetLabel()[0].GetValue() != "0" {
			t.Fatalf("%s: got %v, want one series of shard 0", name, m)
		}
		return m[0].GetGauge().GetValue()
	}
	if n, age := value("checkout_undecided"), value("checkout_undecided_age_seconds"); n != 1 || age < 40 || age > 50 {
		t.Errorf("undecided: got %v orders, the oldest %v s old; want 1, 40 s to 50 s", n, age)
	}
	if n := value("checkout_unconfirmed"); n != 0 {
		t.Errorf("unconfirmed: got %v attempts, want 0", n)
	}
}

func TestOutcomesAndLatency(t *testing.T) {
	m, now := newMetrics(), time.Now()
	m.countCheckout(now, nil)
	m.countCheckout(now, nil)
	m.countCheckout(now, fmt.Errorf("item 1: %w", api.InsufficientStock))
	m.countCheckout(now, errors.New("no reply"))
	got := map[string]int64{}
	for _, outcome := range m.Outcomes() {
		got[outcome.Outcome+" "+outcome.Reason] = outcome.Count
	}
	if want := "map[paid :2 refused insufficient-stock:1 unknown unavailable:1]"; fmt.Sprint(got) != want {
		t.Errorf("outcomes: got %v, want %s", got, want)
	}
	latency := m.Latency()
	if last := latency[len(latency)-1]; len(latency) < 10 || last.Count != 2 || last.Seconds != 15 {
		t.Errorf("latency: got %+v, want at least 10 buckets, the last one with 2 checkouts within 15 s", latency)
	}
}

// gather returns the metrics of a collector by name.
func gather(c prometheus.Collector) (map[string]*dto.MetricFamily, error) {
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	found, err := registry.Gather()
	families := map[string]*dto.MetricFamily{}
	for _, f := range found {
		families[f.GetName()] = f
	}
	return families, err
}
