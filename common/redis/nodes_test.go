package redis_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/events"
	"checkout/common/redis"
	"checkout/common/testredis"
)

// rolesOf returns the roles of the nodes, separated by spaces.
func rolesOf(at *redis.Shard) string {
	var roles []string
	for _, n := range at.Nodes() {
		roles = append(roles, n.Role)
	}
	return strings.Join(roles, " ")
}

// eventuallyHas waits until the last event of the given kind has the given detail. It returns this event.
func eventuallyHas(t *testing.T, at *redis.Shard, kind, detail string) (last api.Event) {
	t.Helper()
	testredis.Eventually(t, kind+" "+detail, func() bool {
		for _, e := range at.Events.After(0) {
			if e.Kind == kind {
				last = e
			}
		}
		return last.Kind == kind && last.Detail == detail
	})
	return last
}

// An instance knows the role of each node, and reports missing copies and failovers.
func TestNodesOfAReplicatedShard(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	shows := func(want string) {
		t.Helper()
		testredis.Eventually(t, "the nodes are "+want, func() bool { return rolesOf(at) == want })
	}
	shows("primary replica replica")
	serves(t, at)
	if at.Epoch() != 1 {
		t.Errorf("got the epoch %d, want 1", at.Epoch())
	}
	g.Nodes[1].Kill()
	shows("primary unreachable replica")
	eventuallyHas(t, at, events.CopiesMissing, "node 1 is unreachable")
	g.Nodes[1].Restart(t)
	shows("primary frozen replica")
	eventuallyHas(t, at, events.CopiesMissing, "node 1 is frozen")

	killed := time.Now()
	g.Nodes[0].Kill()
	shows("unreachable frozen syncing")
	g.Elect(t, 2)
	serves(t, at)
	took := time.Since(killed)
	shows("unreachable replica primary")
	e := eventuallyHas(t, at, events.Failover, "from node 0 to node 2, epoch 2")
	if got := time.Duration(e.DurationMS) * time.Millisecond; got <= 0 || got > took+2*redis.CheckEvery {
		t.Errorf("got a failover of %v, want a positive time and at most %v: %+v", got, took+2*redis.CheckEvery, e)
	}
	eventuallyHas(t, at, events.CopiesMissing, "node 0 is unreachable")
	g.Nodes[0].Restart(t)
	g.Elect(t, 2)
	shows("replica replica primary")
	if back := eventuallyHas(t, at, events.CopiesBack, ""); back.DurationMS == 0 {
		t.Errorf("got the event %+v, want a duration", back)
	}
	for _, e := range at.Events.After(0) {
		if e.Service != "order" || e.Shard == nil || *e.Shard != 0 {
			t.Errorf("got the event %+v, want one of shard 0 of order", e)
		}
	}
}

// A node that hangs has the role "unreachable". An old primary that resumes has the role "outdated".
func TestNodesThatHang(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	g.Nodes[0].Pause()
	testredis.Eventually(t, "the node is unreachable", func() bool {
		return strings.HasPrefix(rolesOf(at), api.NodeUnreachable)
	})
	g.ElectFrom(t, 1, 1, 2)
	g.Nodes[0].Resume()
	testredis.Eventually(t, "the old primary is outdated", func() bool {
		return rolesOf(at) == "outdated primary replica"
	})
}

// Replicated shards have metrics about their nodes. Other shards have no such metrics.
func TestNodeMetrics(t *testing.T) {
	t.Parallel()
	at, g := openGroup(t)
	g.Nodes[2].Kill()
	testredis.Eventually(t, "a copy is missing", func() bool { return rolesOf(at) == "primary replica unreachable" })
	single, _ := testredis.Open(t, "order", 1, scripts)
	_, series := gather(t, redis.NewCollector([]*redis.Shard{at}, 0))
	_, ofSingle := gather(t, single)
	for name, want := range map[string]int{
		"epoch": 1, "failovers_total": 1, "replicas": 2, "node_up": 3, "node_in_sync": 3, "node_lag_batches": 1,
		"node_clock_skew_seconds": 2,
	} {
		name = "redis_shard_" + name
		if series[name] != want || ofSingle[name] != 0 {
			t.Errorf("%s: got %d series for the replicated shard and %d for the single shard, want %d and 0",
				name, series[name], ofSingle[name], want)
		}
	}
	for series, want := range map[string]float64{
		`redis_shard_epoch{shard="0"}`:                      1,
		`redis_shard_replicas{shard="0",state="connected"}`: 1,
		`redis_shard_replicas{shard="0",state="in_sync"}`:   1,
		`redis_shard_node_up{node="2",shard="0"}`:           0,
		`redis_shard_node_in_sync{node="0",shard="0"}`:      1,
		`redis_shard_node_in_sync{node="1",shard="0"}`:      1,
		`redis_shard_node_in_sync{node="2",shard="0"}`:      0,
	} {
		testredis.Eventually(t, fmt.Sprint(series, " is ", want), func() bool {
			got, ok := gatherValues(t, redis.NewCollector([]*redis.Shard{at}, 0))[series]
			return ok && got == want
		})
	}
	g.Nodes[0].Kill()
	testredis.Eventually(t, "there is no primary", func() bool { return !strings.Contains(rolesOf(at), api.NodePrimary) })
	for series, got := range gatherValues(t, redis.NewCollector([]*redis.Shard{at}, 0)) {
		if strings.HasPrefix(series, "redis_shard_node_lag_batches") && !math.IsNaN(got) {
			t.Errorf("without a primary, %s is %v, want NaN", series, got)
		}
	}
}
