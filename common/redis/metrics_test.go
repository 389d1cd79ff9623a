package redis_test

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/testredis"
)

// gather returns the first series of each metric of a collector, and the number of its series.
func gather(t *testing.T, c prometheus.Collector) (first map[string]*dto.Metric, series map[string]int) {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	first, series = map[string]*dto.Metric{}, map[string]int{}
	for _, f := range families {
		first[f.GetName()], series[f.GetName()] = f.GetMetric()[0], len(f.GetMetric())
	}
	return first, series
}

// The metrics count batches, commands per batch, failures and lost scripts. They also report dead shards.
func TestShardMetrics(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil { // opens the connection, in a separate batch
		t.Fatal(err)
	}
	testredis.Eventually(t, "all shards are active, so that activation sends no more commands", func() bool {
		return servers[0].Client.HGet(t.Context(), "{o0}growth", "open").Val() == "1"
	})
	commands := func() float64 {
		first, _ := gather(t, c)
		return first["redis_batch_commands"].GetHistogram().GetSampleSum()
	}
	testredis.Eventually(t, "every command so far is counted", func() bool { return commands() == 3 })
	const callers = 50
	var done sync.WaitGroup
	for range callers {
		done.Go(func() {
			if _, err := at.Run(t.Context(), count, counter); err != nil {
				t.Error(err)
			}
		})
	}
	done.Wait()
	// the count increases shortly after the reply
	testredis.Eventually(t, "every command is counted", func() bool { return commands() == 3+callers })
	first, series := gather(t, c)
	size, took := first["redis_batch_commands"].GetHistogram(), first["redis_batch_duration_seconds"].GetHistogram()
	if size.GetSampleCount() == 0 || took.GetSampleCount() != size.GetSampleCount() || took.GetSampleSum() <= 0 {
		t.Errorf("%v commands in %d batches, %d durations of %v s in all",
			size.GetSampleSum(), size.GetSampleCount(), took.GetSampleCount(), took.GetSampleSum())
	}
	for name, want := range map[string]int{
		"redis_shard_up": 1, "redis_clock_skew_seconds": 1, "redis_queued_commands": 1,
		"redis_memory_used_bytes": 1, "redis_memory_max_bytes": 1,
	} {
		if series[name] != want {
			t.Errorf("%s has %d series, want %d", name, series[name], want)
		}
	}
	if first["redis_shard_up"].GetGauge().GetValue() != 1 || first["redis_failures_total"].GetCounter().GetValue() != 0 {
		t.Errorf("a healthy shard: %v, %v", first["redis_shard_up"], first["redis_failures_total"])
	}
	used := first["redis_memory_used_bytes"].GetGauge().GetValue()
	if ok := first["redis_append_only_ok"].GetGauge().GetValue(); ok != 1 || used < 1<<19 {
		t.Errorf("append-only file: %v, memory: %v bytes", ok, used)
	}
	if err := servers[0].Client.ConfigSet(t.Context(), "appendonly", "no").Err(); err != nil {
		t.Fatal(err)
	}
	if first, _ := gather(t, c); first["redis_append_only_ok"].GetGauge().GetValue() != 0 {
		t.Errorf("without an append-only file: %v", first["redis_append_only_ok"])
	}

	if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	at.Run(t.Context(), count, counter)
	if first, _ := gather(t, c); first["redis_script_reloads_total"].GetCounter().GetValue() != 1 {
		t.Errorf("a lost script: %v", first["redis_script_reloads_total"])
	}

	servers[0].Kill()
	if _, err := at.Run(t.Context(), count, counter); err == nil {
		t.Error("a dead shard has replied")
	}
	testredis.Eventually(t, "the shard is unhealthy", func() bool { return !at.Healthy() })
	first, series = gather(t, c)
	if first["redis_shard_up"].GetGauge().GetValue() != 0 || series["redis_clock_skew_seconds"] != 0 {
		t.Errorf("a dead shard: %v, %d clock skews", first["redis_shard_up"], series["redis_clock_skew_seconds"])
	}
	if first["redis_failures_total"].GetCounter().GetValue() < 1 {
		t.Error("no failure was counted")
	}
}
