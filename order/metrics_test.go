package main

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/shard"
)

// Each checkout is counted once, by what its caller was told, and each step as often as it was taken and repeated.
func TestCheckoutsAreCounted(t *testing.T) {
	s := openShopOf(t, 2)
	ctx := context.Background()
	item, elsewhere, rich, poor := shard.Mint(0), shard.Mint(1), shard.Mint(0), shard.Mint(0)
	s.set("{s0}i:"+item, 2)
	s.set("{s1}i:"+elsewhere, 1)
	s.set("{p0}u:"+rich, 100)
	s.set("{p0}u:"+poor, 1)
	paid := s.order(rich, map[string]int64{item: 2})
	for _, id := range []string{
		paid, s.order(poor, map[string]int64{item: 1}), s.order(rich, map[string]int64{item: 1, elsewhere: 1}), s.order(shard.Mint(0), map[string]int64{item: 1}),
		s.order(rich, map[string]int64{shard.Mint(0): 1}), shard.Mint(0),
	} {
		s.co.checkout(ctx, id, "")
	}
	ca := &canceller{coordinator: s.co}
	s.cancel(ca, paid, poor)
	s.cancel(ca, paid, rich)
	want := `
		# HELP checkouts_total Checkouts: paid; refused, for a reason; or unknown when their time had run out. Callers of the same order at the same time share one.
		# TYPE checkouts_total counter
		checkouts_total{outcome="paid",reason=""} 1
		checkouts_total{outcome="refused",reason="insufficient-credit"} 1
		checkouts_total{outcome="refused",reason="insufficient-stock"} 1
		checkouts_total{outcome="refused",reason="item-not-found"} 1
		checkouts_total{outcome="refused",reason="order-not-found"} 1
		checkouts_total{outcome="refused",reason="user-not-found"} 1
		checkouts_total{outcome="unknown",reason="unavailable"} 0
		# HELP checkout_cancellations_total Cancellations of paid orders that were asked for, by outcome.
		# TYPE checkout_cancellations_total counter
		checkout_cancellations_total{outcome="cancelled"} 1
		checkout_cancellations_total{outcome="refused"} 1
		checkout_cancellations_total{outcome="unknown"} 0
	`
	if err := testutil.CollectAndCompare(s.co.counts, strings.NewReader(want), "checkouts_total", "checkout_cancellations_total"); err != nil {
		t.Error(err)
	}

	steps := stepCounts(t, s.co.counts)
	for name, n := range map[string]uint64{
		"begin": 6, "reserve credit": 5, "reserve stock": 3, "commit": 1, "refuse": 2, "abort": 2, "release stock": 1, "release credit": 2, "close": 2,
		"refund stock": 1, "refund credit": 1, "cancelled": 1,
	} {
		if steps[name] != n {
			t.Errorf("%s: %d steps were counted, want %d", name, steps[name], n)
		}
	}

	s.payment.set(0, 0, true)
	time.AfterFunc(100*time.Millisecond, func() { s.payment.set(0, 0, false) })
	s.set("{s0}i:"+item, 1)
	if err := s.co.checkout(ctx, s.order(rich, map[string]int64{item: 1}), ""); err != nil {
		t.Fatal(err)
	}
	if n := testutil.ToFloat64(s.co.steps.reserveCredit.retries); n < 1 {
		t.Errorf("payment was away, and %v repetitions were counted", n)
	}
	if n := stepCounts(t, s.co.counts)["reserve credit"]; n != 6 {
		t.Errorf("%d steps were counted: a step that is repeated is one", n)
	}
}

// stepCounts returns how often each step was counted.
func stepCounts(t *testing.T, c *counts) map[string]uint64 {
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

// The backlog tells how many wait and how old the oldest is: a checkout since it began, a cancellation since it was asked for,
// however old the order, and however often a worker has put it off since.
func TestBacklog(t *testing.T) {
	s, client := openStore(t)
	ctx := context.Background()
	at := s.db.Shards()[0]
	for name, c := range map[string]struct {
		state  string
		cancel bool // before it is asked
		want   waiting
	}{
		"nothing": {"", false, waiting{}},
		"a checkout that began 25 s ago, and was just claimed": {
			"o:O a=A dl=now+5 s=RUNNING\nundecided O at now+10\nunconfirmed X now+60 0 0 at now\nunconfirmed Y now+60 0 0 at now+10", false,
			waiting{1, 2, 25 * time.Second}},
		"the oldest of two": {
			"o:O a=A dl=now-70 s=ABORTING\no:P a=B dl=now+30 s=RUNNING\nundecided P at now-5\nundecided O at now+10", false,
			waiting{2, 0, 100 * time.Second}},
		"an order that is gone":                         {"undecided O at now", false, waiting{1, 0, 0}},
		"paid a while ago, the cancellation just asked": {"o:O a=A dl=now-500 s=PAID u=U", true, waiting{1, 0, 0}},
	} {
		restore(t, client, c.state, time.Now())
		if c.cancel {
			if _, err := s.cancel(ctx, id, "A"); err != nil {
				t.Fatal(err)
			}
		}
		got, err := s.waiting(ctx, at, agesAtOnce)
		if err != nil || got.undecided != c.want.undecided || got.unconfirmed != c.want.unconfirmed || (got.oldest-c.want.oldest).Abs() > 2*time.Second {
			t.Errorf("%s: %+v, %v; want %+v", name, got, err, c.want)
		}
	}
	restore(t, client, "o:O a=A dl=now s=RUNNING\nundecided O at now+5", time.Now())
	families, err := gather(newBacklog(s))
	if err != nil {
		t.Fatal(err)
	}
	if m := families["checkout_undecided_age_seconds"].GetMetric(); len(m) != 1 || m[0].GetLabel()[0].GetValue() != "0" || m[0].GetGauge().GetValue() < 30 {
		t.Errorf("age %v", m)
	}
}

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
