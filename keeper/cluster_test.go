package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"

	"checkout/common/freeport"
	"checkout/keeper/status"
)

// TestMain runs the tests. If a test has started this process, TestMain runs the keeper instead.
func TestMain(m *testing.M) {
	if os.Getenv("SHARD") != "" {
		main()
		return
	}
	redis.SetLogger(&logging.VoidLogger{})
	flag.Parse()
	flag.Set("test.parallel", "6") // more than the number of processors, because the tests wait most of the time
	os.Exit(m.Run())
}

// shard is a replicated shard of real processes.
type shard struct {
	t     *testing.T
	nodes [3]*node
}

// node is one node of a shard: a Redis at addr, and a keeper with the ports port and metrics.
type node struct {
	dir                  string
	server               string // program of the Redis; empty: valkey-server
	addr, port, metrics  string
	redis, keeper        *process
	redisArgs, keeperEnv []string
	log                  *bytes.Buffer // output of the keeper; read it after the keeper has exited
	redisLog             bytes.Buffer
}

// newShard starts three Redis servers and three keepers. It tries again if another process takes one of the ports.
func newShard(t *testing.T) *shard {
	t.Helper()
	if _, err := exec.LookPath("valkey-server"); err != nil {
		t.Fatal("valkey-server is not installed: run make deps")
	}
	s := &shard{t: t}
	t.Cleanup(func() {
		s.stopAll()
		for i, n := range s.nodes {
			if t.Failed() {
				t.Logf("keeper %d:\n%s\nRedis %d:\n%s", i, n.log, i, &n.redisLog)
			}
		}
	})
	for range 5 {
		if s.startAll() {
			return s
		}
		s.stopAll()
	}
	t.Fatal("cannot start three nodes: in each of 5 attempts, a Redis or a keeper exited")
	return nil
}

func (s *shard) stopAll() {
	for _, n := range s.nodes {
		stop(n.redis)
		stop(n.keeper)
	}
}

// startAll starts all processes and reports whether all of them run.
func (s *shard) startAll() bool {
	s.t.Helper()
	var redisAddrs, keepers, metrics []string
	for range s.nodes {
		redisAddrs, keepers = append(redisAddrs, freeport.Addr(s.t)), append(keepers, freeport.Addr(s.t))
		metrics = append(metrics, freeport.Addr(s.t))
	}
	for i := range s.nodes {
		n := &node{
			dir: filepath.Join(s.t.TempDir(), "data"), addr: redisAddrs[i], port: portOf(keepers[i]),
			metrics: portOf(metrics[i]),
		}
		n.redisArgs = redisArgs(n)
		n.keeperEnv = []string{
			"SHARD=order-0", "NODE=" + strconv.Itoa(i), "NODES=" + strings.Join(redisAddrs, "+"),
			"KEEPERS=" + strings.Join(keepers, "+"), "KEEPER_TOKEN=0123456789abcdef", "BIND=127.0.0.1", "PORT=" + n.port,
			"METRICS_PORT=" + n.metrics, "STATE_FILE=" + filepath.Join(n.dir, "keeper.json"),
		}
		s.nodes[i] = n
		s.startRedis(i)
		s.startKeeper(i)
	}
	allRun := func() bool {
		return !slices.ContainsFunc(s.nodes[:], func(n *node) bool { return !n.redis.running() || !n.keeper.running() })
	}
	s.eventually("the keepers are ready", func() bool {
		return !allRun() || !slices.ContainsFunc(s.status(), func(n status.Node) bool { return !n.Ready })
	})
	return allRun()
}

// redisArgs returns the arguments of a node's Redis. With them, the Redis starts frozen.
func redisArgs(n *node) []string {
	_, port, _ := net.SplitHostPort(n.addr)
	return []string{
		"--port", port, "--bind", "127.0.0.1", "--dir", n.dir, "--appendonly", "yes", "--appendfsync", "always",
		"--save", "", "--maxmemory-policy", "noeviction", "--replicaof", "127.0.0.1 1", "--repl-diskless-load", "disabled",
		"--repl-diskless-sync-delay", "0", "--repl-timeout", "5", "--repl-backlog-size", "64mb",
		"--shutdown-on-sigterm", "now force", "--rename-command", "SYNC", "",
	}
}

func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

func (s *shard) startRedis(i int) {
	s.t.Helper()
	n := s.nodes[i]
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
	c := exec.Command(cmp.Or(n.server, "valkey-server"), n.redisArgs...)
	c.Stdout = &n.redisLog
	n.redis = s.start(c, nil)
}

func (s *shard) startKeeper(i int) {
	s.t.Helper()
	n := s.nodes[i]
	if n.log == nil {
		n.log = &bytes.Buffer{}
	}
	n.keeper = s.start(exec.Command(os.Args[0]), n)
}

// command runs a keeper command such as "status" in this process, with the settings of a node's keeper.
func (s *shard) command(i int, args ...string) (string, error) {
	vars := map[string]string{}
	for _, variable := range s.nodes[i].keeperEnv {
		name, value, _ := strings.Cut(variable, "=")
		vars[name] = value
	}
	var out strings.Builder
	err := run(s.t.Context(), append([]string{"keeper"}, args...), func(name string) string { return vars[name] }, &out)
	if err != nil {
		fmt.Fprintln(&out, err)
	}
	return out.String(), err
}

// init runs keeper init on a node and waits until all nodes are in sync. It returns the primary.
func (s *shard) init(i int) (primary int) {
	s.t.Helper()
	s.eventually("keeper init", func() bool {
		out, err := s.command(i, "init")
		return err == nil || strings.Contains(out, "the shard is initialized")
	})
	return s.settle()
}

var statusClient = &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 4}}

func (s *shard) status() []status.Node {
	var keepers, nodes []string
	for _, n := range s.nodes {
		keepers, nodes = append(keepers, "127.0.0.1:"+n.port), append(nodes, n.addr)
	}
	return status.GetAll(context.Background(), statusClient, keepers, nodes)
}

// primary returns the index of the primary with the highest epoch, or -1.
func (s *shard) primary() int {
	best, epoch := -1, int64(0)
	for i, n := range s.status() {
		if n.Role == status.Primary && n.Epoch > epoch {
			best, epoch = i, n.Epoch
		}
	}
	return best
}

// settle waits until there is one primary with two replicas, and returns the primary.
func (s *shard) settle() (primary int) {
	s.t.Helper()
	s.eventually("a primary with two replicas", func() bool {
		roles := map[string]int{}
		for i, n := range s.status() {
			roles[n.Role]++
			if n.Role == status.Primary {
				primary = i
			}
		}
		return roles[status.Primary] == 1 && roles[status.Replica] == 2
	})
	return primary
}

// eventually waits until a condition holds. It fails the test after 30 seconds.
func (s *shard) eventually(what string, holds func() bool) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(25 * time.Millisecond) {
		if time.Now().After(deadline) {
			var table strings.Builder
			status.Write(&table, s.status())
			s.t.Fatalf("timeout: %s\n%s", what, &table)
		}
	}
}

// admin returns a client of a node's Redis. Its timeouts are long, because the machine may be slow.
func (n *node) admin() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: n.addr, Protocol: 2, PoolSize: 1, DisableIdentity: true, ReadTimeout: 30 * time.Second,
	})
}

// client returns a client of a node's Redis. Its timeouts are short.
func (n *node) client() *redis.Client {
	return redis.NewClient(&redis.Options{
		Addr: n.addr, Protocol: 2, PoolSize: 1, MaxRetries: -1, DialerRetries: 1, DisableIdentity: true,
		DialTimeout: 300 * time.Millisecond, ReadTimeout: 1200 * time.Millisecond, ContextTimeoutEnabled: true,
	})
}

// find returns a client of the master with the highest epoch. The services select the primary in the same way.
func (s *shard) find() (*redis.Client, error) {
	best, epoch := -1, int64(-1)
	for i, n := range s.nodes {
		c := n.client()
		ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
		role, err := c.Do(ctx, "ROLE").Slice()
		e, _ := c.Get(ctx, "{o0}epoch").Int64()
		if err == nil && role[0] == "master" && e > epoch {
			best, epoch = i, e
		}
		cancel()
		c.Close()
	}
	if best < 0 {
		return nil, errors.New("no master")
	}
	return s.nodes[best].client(), nil
}
