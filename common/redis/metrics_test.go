package redis_test

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/testredis"
)

// read returns the first series of each metric of a collector, and how many it has.
func read(t *testing.T, c prometheus.Collector) (first map[string]*dto.Metric, series map[string]int) {
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

// Every command is counted in its batch, and what fails, what was forgotten and who is dead is told.
func TestShardsAreCounted(t *testing.T) {
	t.Parallel()
	db, servers := testredis.Open(t, "order", 1, scripts)
	at := db.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil { // opens the connection, by a batch of its own
		t.Fatal(err)
	}
	testredis.Eventually(t, "the number of shards is written down, and no more of that comes", func() bool {
		return servers[0].Client.HGet(t.Context(), "{o0}growth", "open").Val() == "1"
	})
	commands := func() float64 {
		first, _ := read(t, db)
		return first["redis_batch_commands"].GetHistogram().GetSampleSum()
	}
	testredis.Eventually(t, "all of it is counted", func() bool { return commands() == 3 })
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
	testredis.Eventually(t, "every command is counted", func() bool { return commands() == 3+callers }) // just after it was answered
	first, series := read(t, db)
	size, took := first["redis_batch_commands"].GetHistogram(), first["redis_batch_duration_seconds"].GetHistogram()
	if size.GetSampleCount() == 0 || took.GetSampleCount() != size.GetSampleCount() || took.GetSampleSum() <= 0 {
		t.Errorf("%v commands in %d batches of %d times, %v s", size.GetSampleSum(), size.GetSampleCount(), took.GetSampleCount(), took.GetSampleSum())
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
		t.Errorf("a shard that answers: %v, %v", first["redis_shard_up"], first["redis_failures_total"])
	}

	if ok, used := first["redis_append_only_ok"].GetGauge().GetValue(), first["redis_memory_used_bytes"].GetGauge().GetValue(); ok != 1 || used < 1<<19 {
		t.Errorf("file %v, %v bytes", ok, used)
	}
	if err := servers[0].Client.ConfigSet(t.Context(), "appendonly", "no").Err(); err != nil {
		t.Fatal(err)
	}
	if first, _ := read(t, db); first["redis_append_only_ok"].GetGauge().GetValue() != 0 {
		t.Errorf("without a file: %v", first["redis_append_only_ok"])
	}

	if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	at.Run(t.Context(), count, counter)
	if first, _ := read(t, db); first["redis_script_reloads_total"].GetCounter().GetValue() != 1 {
		t.Errorf("a forgotten script: %v", first["redis_script_reloads_total"])
	}

	servers[0].Kill()
	if _, err := at.Run(t.Context(), count, counter); err == nil {
		t.Error("a dead shard has answered")
	}
	testredis.Eventually(t, "the shard is down", func() bool { return !at.Healthy() })
	first, series = read(t, db)
	if first["redis_shard_up"].GetGauge().GetValue() != 0 || series["redis_clock_skew_seconds"] != 0 {
		t.Errorf("a dead shard is up %v, its clock known %d times", first["redis_shard_up"], series["redis_clock_skew_seconds"])
	}
	if first["redis_failures_total"].GetCounter().GetValue() < 1 {
		t.Error("no failure was counted")
	}
}
