package redis_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/testredis"
)

// gather returns two maps by metric name: the first series of each metric of a collector, and how many series the
// metric has.
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

// gatherValues returns the values of the gauges of a collector, by name and labels.
func gatherValues(t *testing.T, c prometheus.Collector) map[string]float64 {
	t.Helper()
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(c)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			var labels []string
			for _, l := range m.GetLabel() {
				labels = append(labels, fmt.Sprintf("%s=%q", l.GetName(), l.GetValue()))
			}
			values[f.GetName()+"{"+strings.Join(labels, ",")+"}"] = m.GetGauge().GetValue()
		}
	}
	return values
}

// The metrics count batches, commands per batch, failures and lost scripts. The metrics also report a shard that does
// not reply.
func TestShardMetrics(t *testing.T) {
	t.Parallel()
	c, servers := testredis.Open(t, "order", 1, scripts)
	at := c.Shards()[0]
	if _, err := at.Run(t.Context(), count, counter); err != nil { // opens the connection before the counted calls
		t.Fatal(err)
	}
	testredis.Eventually(t, "all shards are active, so that activation sends no more commands", func() bool {
		return servers[0].Client.HGet(t.Context(), "{o0}growth", "open").Val() == "1"
	})
	commands := func() float64 {
		first, _ := gather(t, c)
		return first["redis_shard_batch_commands"].GetHistogram().GetSampleSum()
	}
	testredis.Eventually(t, "the first command is counted", func() bool { return commands() > 0 })
	before := commands()
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
	testredis.Eventually(t, "every command is counted", func() bool { return commands() >= before+callers })
	first, series := gather(t, c)
	size := first["redis_shard_batch_commands"].GetHistogram()
	took := first["redis_shard_batch_duration_seconds"].GetHistogram()
	if size.GetSampleCount() == 0 || took.GetSampleCount() != size.GetSampleCount() || took.GetSampleSum() <= 0 {
		t.Errorf("got %v commands, %d batches, %d durations, %v s; want as many durations as batches, all above 0",
			size.GetSampleSum(), size.GetSampleCount(), took.GetSampleCount(), took.GetSampleSum())
	}
	for name, want := range map[string]int{
		"redis_shard_up": 1, "redis_shard_clock_skew_seconds": 1, "redis_shard_queued_commands": 1,
		"redis_shard_memory_used_bytes": 1, "redis_shard_memory_max_bytes": 1, "redis_shard_aof_size_bytes": 1,
		"redis_shard_aof_base_size_bytes": 1, "redis_shard_aof_rewrite_failures": 1, "redis_shard_disk_size_bytes": 0,
		"redis_shard_uptime_seconds": 1, "redis_shard_problem": 0,
	} {
		if series[name] != want {
			t.Errorf("%s has %d series, want %d", name, series[name], want)
		}
	}
	for name := range series {
		if !strings.HasPrefix(name, "redis_shard_") { // redis_exporter uses the prefix redis_
			t.Errorf("%s does not start with redis_shard_", name)
		}
	}
	up, failures := first["redis_shard_up"], first["redis_shard_failures_total"]
	if up.GetGauge().GetValue() != 1 || failures.GetCounter().GetValue() != 0 {
		t.Errorf("healthy shard: got redis_shard_up %v and redis_shard_failures_total %v, want 1 and 0", up, failures)
	}
	used := first["redis_shard_memory_used_bytes"].GetGauge().GetValue()
	if ok := first["redis_shard_append_only_ok"].GetGauge().GetValue(); ok != 1 || used < 1<<19 {
		t.Errorf("got redis_shard_append_only_ok %v and %v bytes of memory, want 1 and at least 524288", ok, used)
	}
	if err := servers[0].Client.ScriptFlush(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	at.Run(t.Context(), count, counter)
	if first, _ := gather(t, c); first["redis_shard_script_reloads_total"].GetCounter().GetValue() != 1 {
		t.Errorf("after the scripts were lost: got redis_shard_script_reloads_total %v, want 1",
			first["redis_shard_script_reloads_total"])
	}

	servers[0].Kill()
	if _, err := at.Run(t.Context(), count, counter); err == nil {
		t.Error("run on a killed shard: got no error, want one")
	}
	testredis.Eventually(t, "the shard is unhealthy", func() bool { return !at.Healthy() })
	first, series = gather(t, c)
	if first["redis_shard_up"].GetGauge().GetValue() != 0 || series["redis_shard_clock_skew_seconds"] != 0 {
		t.Errorf("killed shard: got redis_shard_up %v and %d clock skews, want 0 and 0",
			first["redis_shard_up"], series["redis_shard_clock_skew_seconds"])
	}
	if labels := first["redis_shard_problem"].GetLabel(); len(labels) != 2 || labels[0].GetValue() != "unreachable" {
		t.Errorf("killed shard: redis_shard_problem has the labels %v, want the reason unreachable", labels)
	}
	if first["redis_shard_failures_total"].GetCounter().GetValue() < 1 {
		t.Error("killed shard: redis_shard_failures_total counts no failure")
	}
}

// The metrics report the size of the append-only file and of the disk, and whether the last rewrite succeeded.
func TestDiskMetrics(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	c := cluster.Open("order", env.Redis{Addrs: []string{server.Addr}, Disk: 10 << 30}, nil)
	t.Cleanup(c.Close)
	testredis.Eventually(t, "the shard is healthy", func() bool { return len(c.Unavailable()) == 0 })
	value := func(name string) float64 {
		first, _ := gather(t, c)
		return first[name].GetGauge().GetValue()
	}
	if disk, ok := value("redis_shard_disk_size_bytes"), value("redis_shard_aof_rewrite_ok"); disk != 10<<30 || ok != 1 {
		t.Errorf("got a disk of %v bytes and redis_shard_aof_rewrite_ok %v, want 1.073741824e+10 and 1", disk, ok)
	}
	before := value("redis_shard_aof_size_bytes")
	for i := range 100 {
		if err := server.Client.Set(t.Context(), "key", i, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if after := value("redis_shard_aof_size_bytes"); after < before+100*20 {
		t.Errorf("100 writes: redis_shard_aof_size_bytes grew from %v to %v, want at least 2000 more", before, after)
	}
	killRewrite(t, server)
	testredis.Eventually(t, "the failed rewrite is reported", func() bool {
		return value("redis_shard_aof_rewrite_ok") == 0 && value("redis_shard_aof_rewrite_failures") == 1
	})
}

// killRewrite starts a rewrite of a server's append-only file and kills the rewriting process.
func killRewrite(t *testing.T, s *testredis.Server) {
	t.Helper()
	if err := s.Client.ConfigSet(t.Context(), "rdb-key-save-delay", "60000000").Err(); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.BgRewriteAOF(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	pid := s.Client.InfoMap(t.Context(), "server").Val()["Server"]["process_id"]
	testredis.Eventually(t, "the rewrite is killed", func() bool {
		children, err := os.ReadFile("/proc/" + pid + "/task/" + pid + "/children")
		if err != nil {
			t.Fatal(err)
		}
		child, err := strconv.Atoi(strings.TrimSpace(string(children)))
		return err == nil && syscall.Kill(child, syscall.SIGKILL) == nil
	})
}
