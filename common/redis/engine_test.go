package redis_test

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"checkout/common/api"
	"checkout/common/cluster"
	"checkout/common/env"
	"checkout/common/redis"
	"checkout/common/testredis"
	"checkout/test/faultproxy"
)

// These tests use a Valkey in cluster mode instead of an engine. Valkey replicates asynchronously, so a failover of a
// dead primary may lose acknowledged writes. Tests with startCounting use only graceful failovers, which lose none.

func openEngine(t *testing.T, config env.Redis) *redis.Shard {
	t.Helper()
	c := cluster.Open("order", config, scripts)
	t.Cleanup(c.Close)
	testredis.Eventually(t, "the shard is available", func() bool { return c.Shards()[0].Writable() && c.Modulus() > 0 })
	return c.Shards()[0]
}

// counting runs the script "count" from several callers until stop is called. The script increments a counter, so two
// calls with the same reply show that an acknowledged write was lost.
type counting struct {
	acked, failed atomic.Int64
	stop          func()
}

func startCounting(t *testing.T, at *redis.Shard) *counting {
	c, stopped := &counting{}, make(chan struct{})
	var seen sync.Map
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for {
				select {
				case <-stopped:
					return
				default:
				}
				reply, err := at.Run(t.Context(), count, counter)
				if err != nil {
					c.failed.Add(1)
					time.Sleep(time.Millisecond)
					continue
				}
				c.acked.Add(1)
				if _, twice := seen.LoadOrStore(reply.Int(0), true); twice {
					t.Errorf("two calls got the reply %d", reply.Int(0))
				}
			}
		})
	}
	c.stop = sync.OnceFunc(func() {
		close(stopped)
		callers.Wait()
	})
	t.Cleanup(c.stop)
	return c
}

// more is a helper that waits until n further calls have succeeded.
func (c *counting) more(t *testing.T, n int64) {
	t.Helper()
	want := c.acked.Load() + n
	testredis.Eventually(t, "calls succeed", func() bool { return c.acked.Load() >= want })
}

// The first call after a failover succeeds: the old primary replies MOVED and does not run the call, so the client
// sends the call to the new primary. Failovers under load lose no acknowledged write, and cause no call to run twice.
func TestEngineFailover(t *testing.T) {
	t.Parallel()
	nodes := testredis.StartCluster(t)
	at := openEngine(t, testredis.EngineConfig(nodes.Nodes[0].Addr))
	calls := startCounting(t, at)
	for _, to := range []int{1, 0} {
		calls.more(t, 20)
		nodes.Failover(t, to, "")
	}
	calls.more(t, 20)
	calls.wantCounted(t, at)
	failover := func(to int) {
		nodes.Failover(t, to, "")
		testredis.Eventually(t, "the shard is healthy", at.Writable) // a health check may have failed meanwhile
	}
	failover(1)
	if _, err := at.Run(t.Context(), count, counter); err != nil {
		t.Errorf("run after a failover: %v", err)
	}
	failover(0)
	if _, err := counted(t, at); err != nil {
		t.Errorf("read after a failover: %v", err)
	}
	if found, err := at.Instances(t.Context()); err != nil || len(found) != 1 {
		t.Errorf("after a failover: got the instances %v and the error %v, want one instance", found, err)
	}
}

// wantCounted stops the callers and checks the counter. A failed call may have incremented it.
func (c *counting) wantCounted(t *testing.T, at *redis.Shard) {
	t.Helper()
	c.stop()
	n, err := counted(t, at)
	if acked, failed := c.acked.Load(), c.failed.Load(); err != nil || n < acked || n > acked+failed {
		t.Errorf("got the counter %d after %d acknowledged and %d failed calls, and the error %v, "+
			"want at least the acknowledged calls and at most all calls", n, acked, failed, err)
	}
}

// The primary hangs, and then dies. REDIS_ADDRS has the address of a proxy. A new target of the proxy has the same
// effect as a host name that now leads to another IP address.
func TestEngineLosesItsPrimary(t *testing.T) {
	t.Parallel()
	nodes := testredis.StartCluster(t)
	name := newLink(t, nodes.Nodes[0].Addr)
	at := openEngine(t, testredis.EngineConfig(name.addr))
	nodes.Nodes[0].Pause()
	if _, err := at.Run(t.Context(), count, counter); !errors.Is(err, api.Unavailable) {
		t.Errorf("the primary hangs: got %v, want unavailable", err)
	}
	testredis.Eventually(t, "the shard hangs", at.Hung)
	nodes.Failover(t, 1, "TAKEOVER")
	name.target.Store(nodes.Nodes[1].Addr)
	serves(t, at)
	nodes.Nodes[0].Kill()
	for range 10 {
		if _, err := at.Run(t.Context(), count, counter); err != nil {
			t.Errorf("run on the new primary: %v", err)
		}
	}
}

// The client reaches the nodes through fault proxies, which the nodes announce. Before the first failover, the proxy of
// the primary cuts all connections. Before the second one, it drops replies.
func TestEngineWithNetworkFaults(t *testing.T) {
	t.Parallel()
	var proxies []*faultproxy.Proxy
	nodes := testredis.StartCluster(t)
	for _, node := range nodes.Nodes {
		proxy, err := faultproxy.ForTCP(node.Addr)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Close)
		proxies = append(proxies, proxy)
		_, port, _ := net.SplitHostPort(proxy.Addr())
		do(t, node, "CONFIG SET cluster-announce-port "+port)
	}
	at := openEngine(t, testredis.EngineConfig(proxies[0].Addr()))
	calls := startCounting(t, at)
	for i, to := range []int{1, 0} {
		fault := faultproxy.Faults{Cut: i%2 == 0, DropReplies: i%2 == 1}
		calls.more(t, 20)
		proxies[1-to].Set(fault) // the proxy of the primary
		time.Sleep(50 * time.Millisecond)
		proxies[1-to].Set(faultproxy.Faults{})
		nodes.Failover(t, to, "")
	}
	calls.more(t, 20)
	calls.wantCounted(t, at)
}

// A MOVED reply leads to an IP address, but the certificate must be valid for the host in REDIS_ADDRS.
func TestEngineWithTLS(t *testing.T) {
	var ports []string
	nodes := testredis.StartCluster(t)
	for _, node := range nodes.Nodes {
		ports = append(ports, secure(t, node))
	}
	config := testredis.EngineConfig(net.JoinHostPort("localhost", ports[1]))
	config.TLS, config.Username, config.Password = true, "shop", "s3cret"
	at := openEngine(t, config)
	for range 2 {
		if _, err := at.Run(t.Context(), count, counter); err != nil {
			t.Errorf("run with TLS: %v", err)
		}
	}
	config.Addrs = []string{net.JoinHostPort("127.0.0.1", ports[1])}
	wrong := cluster.Open("order", config, scripts)
	defer wrong.Close()
	time.Sleep(300 * time.Millisecond)
	if wrong.Shards()[0].Healthy() {
		t.Error("the shard is healthy with a host that the certificate lacks")
	}
}

// Only a call whose own reply is MOVED is sent again. If MOVED is the reply to the trailer of the batch, the call has
// run. All error replies in the table are temporary problems, so no call returns ErrRefused.
func TestEngineRepeatsOnlyWhatDidNotRun(t *testing.T) {
	nodes := testredis.StartCluster(t)
	moved := "-MOVED 1 " + nodes.Nodes[0].Addr
	for i, row := range []struct {
		reply string // replaces the replies that the pattern batch matches
		runs  int64
		ok    bool
	}{
		{"${1}\r\n" + moved, 1, false},
		{moved + "\r\n$2", 2, true}, // both calls ran here, but a real node that replies MOVED runs nothing
		{moved + "\r\n" + moved, 2, true},
		{"-ASK 1 " + nodes.Nodes[0].Addr + "\r\n$2", 1, false},
		{"-TRYAGAIN Multiple keys request during rehashing of slot\r\n$2", 1, false},
		{"-CLUSTERDOWN The cluster is down\r\n$2", 1, false},
		{"-READONLY You can't write against a read only replica.\r\n$2", 1, false},
		{"-LOADING Redis is loading the dataset in memory\r\n$2", 1, false},
	} {
		t.Run(row.reply, func(t *testing.T) {
			t.Parallel()
			link, key := newLink(t, nodes.Nodes[0].Addr), fmt.Sprint("{o0}c", i)
			c := cluster.Open("order", testredis.EngineConfig(link.addr), []*redis.Script{text})
			t.Cleanup(c.Close)
			at := c.Shards()[0]
			var n int64 // how often the last call ran
			run := func() error {
				before, _ := nodes.Nodes[0].Client.Get(t.Context(), key).Int64()
				_, err := at.Run(t.Context(), text, []string{key})
				after, _ := nodes.Nodes[0].Client.Get(t.Context(), key).Int64()
				n = after - before
				return err
			}
			testredis.Eventually(t, "the script runs", func() bool { return run() == nil && at.Writable() })
			var replaced atomic.Bool
			link.edit.Store(func(reply []byte) []byte {
				if !batch.Match(reply) || replaced.Swap(true) {
					return reply
				}
				return batch.ReplaceAll(reply, []byte(row.reply+"\r\n"))
			})
			err := run()
			for ; !replaced.Load(); err = run() { // again, because the link has received the reply in two parts
			}
			if (err == nil) != row.ok || errors.Is(err, redis.ErrRefused) || n != row.runs {
				t.Errorf("got the error %v and %d runs, want success: %v, no ErrRefused, and %d runs",
					err, n, row.ok, row.runs)
			}
			testredis.Eventually(t, "the script runs again", func() bool { return run() == nil })
		})
	}
}

var (
	text  = redis.NewScript("text", "#!lua\nreturn 'n' .. redis.call('INCR', KEYS[1])\n")
	batch = regexp.MustCompile(`^(\$\d+\r\nn\d+)\r\n(:\d+)\r\n$`) // the replies to the script text and to the trailer
)

// An instance refuses a server whose kind does not match REDIS_DURABLE.
func TestServersThatAreNoEngine(t *testing.T) {
	t.Parallel()
	nodes := testredis.StartCluster(t)
	wantClustered(t, env.Redis{}, nodes.Nodes[0], "the server belongs to a cluster")
	wantClustered(t, env.Redis{Durable: env.Unchecked}, nodes.Nodes[1], "the server belongs to a cluster")
	wantClustered(t, env.Redis{Durable: env.Engine}, testredis.Start(t), "the server belongs to no cluster")
	do(t, nodes.Nodes[1], "CLUSTER RESET HARD;CLUSTER ADDSLOTSRANGE 0 99")
	do(t, nodes.Nodes[0], "CLUSTER DELSLOTSRANGE 0 99")
	nodes.Join(t, 1, 0)
	for _, node := range nodes.Nodes {
		wantClustered(t, env.Redis{Durable: env.Engine}, node, "the cluster has 2 shards")
	}
}

func wantClustered(t *testing.T, config env.Redis, server *testredis.Server, want string) {
	t.Helper()
	config.Addrs = []string{server.Addr}
	c := cluster.Open("order", config, scripts)
	defer c.Close()
	at := c.Shards()[0]
	testredis.Eventually(t, "refused: "+want, func() bool { return strings.Contains(at.Describe(), want) })
	if _, err := at.Run(t.Context(), count, counter); err == nil || at.Problem() != redis.Clustered {
		t.Errorf("%s: got the error %v of a script and the problem %q, want an error and %q", want, err, at.Problem(),
			redis.Clustered)
	}
}
