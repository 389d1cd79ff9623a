package main

import (
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

// TestSimulationMatchesMeasurements checks the rates of the measured systems with 1, 2 and 4 shards.
func TestSimulationMatchesMeasurements(t *testing.T) {
	t.Parallel()
	table, err := check(measured)
	t.Log("\n" + table)
	if err != nil {
		t.Error(err)
	}
}

// TestWrongCostsAreDetected checks that the comparison with the measurements fails if one of the main costs is wrong.
func TestWrongCostsAreDetected(t *testing.T) {
	for name, change := range map[string]func(*costs){
		"order costs twice as much":  func(c *costs) { c.order *= 2 },
		"nginx costs nothing":        func(c *costs) { c.nginx = 0 },
		"HTTP requests cost nothing": func(c *costs) { c.request, c.handle = 0, 0 },
		"Redis batches cost nothing": func(c *costs) { c.batch, c.flush, c.command = 0, 0, 0 },
		"wake-ups cost nothing":      func(c *costs) { c.wake = 0 },
		"scripts cost twice as much": func(c *costs) { c.script, c.reserve = 2*c.script, 2*c.reserve },
		"an fsync takes five times":  func(c *costs) { c.fsync *= 5 },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			wrong := measured
			change(&wrong)
			if table, err := check(wrong); err == nil {
				t.Errorf("check returned no error for wrong costs, want an error; table:\n%s", table)
			}
		})
	}
}

// TestProcessorsAndDisks checks the simulated processors and disks with tasks whose times are known.
func TestProcessorsAndDisks(t *testing.T) {
	var c clock
	h := &host{clock: &c, free: 1, slice: time.Second}
	a, b := &process{host: h, wake: 5}, &process{host: h, wake: 5}
	redis := &process{host: h, disk: &disk{flush: 10, fsync: 100}}
	var got []string
	record := func(name string) func() {
		return func() { got = append(got, name+" "+c.now.String()) }
	}
	a.do(10, record("a1"))     // 0 to 15: wake-up 5, task 10
	a.do(10, record("a2"))     // 15 to 25
	redis.do(20, record("r1")) // one flush for r1 and r2: 25 to 75, durable at 175
	redis.do(20, record("r2"))
	b.do(10, record("b1")) // 75 to 90, during the fsync: wake-up 5, task 10
	for len(c.events) > 0 {
		c.step()
	}
	want := []string{"a1 15ns", "a2 25ns", "b1 90ns", "r1 175ns", "r2 175ns"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got the finished tasks %q, want %q", got, want)
	}
	if a.used != 25 || b.used != 15 || redis.used != 50 || redis.waited != 100 || h.free != 1 {
		t.Errorf("got times a %d, b %d, redis %d, disk %d, free processors %d; want 25, 15, 50, 100, 1",
			a.used, b.used, redis.used, redis.waited, h.free)
	}
}

func TestBatcherKeepsOneBatchInFlight(t *testing.T) {
	var c clock
	p := &process{host: &host{clock: &c, free: 1}}
	var sizes []int
	b := &batcher{sender: p, limit: 3}
	b.send = func(batch []int, done func()) {
		sizes = append(sizes, len(batch))
		c.after(time.Second, done)
	}
	b.add(0)
	for len(sizes) == 0 {
		c.step()
	}
	for i := range 5 {
		b.add(i)
	}
	for len(c.events) > 0 {
		c.step()
	}
	if !reflect.DeepEqual(sizes, []int{1, 3, 2}) || b.batches != 3 || b.items != 6 || b.inFlight {
		t.Errorf("got %+v, batch sizes %v; want batches 3, items 6, inFlight false, batch sizes [1 3 2]", b, sizes)
	}
}

// TestPredictedCoresHaveOneDecimal checks that the table does not claim more precision than the simulation has: the
// simulated processor time is up to 23 % wrong.
func TestPredictedCoresHaveOneDecimal(t *testing.T) {
	t.Parallel()
	var w strings.Builder
	predict(&w, 1)
	if row := regexp.MustCompile(`\| 1 \| as it is \| \d+ \| \d+ \| \d+\.\d \| \d\.\d \|`); !row.MatchString(w.String()) {
		t.Errorf("want a row that matches %s in:\n%s", row, &w)
	}
}

// TestPredictions checks that more shards complete more checkouts per second, and that a hot item limits this rate.
func TestPredictions(t *testing.T) {
	t.Parallel()
	one, many := run(prediction(1), 2000), run(prediction(16), 5000)
	hot := prediction(16)
	hot.hot = true
	if r := run(hot, 5000); !(many.rate > 5*one.rate) || !(r.rate < 0.7*many.rate) || r.busiest != "redis-stock" {
		t.Errorf("got %.0f/s with 1 shard; %.0f/s with 16 shards, want more than 5 times the rate with 1 shard; "+
			"%.0f/s with 16 shards and a hot item, want less than 0.7 times the rate without a hot item; "+
			"with the hot item, the bottleneck is %s, want redis-stock",
			one.rate, many.rate, r.rate, r.busiest)
	}
}
