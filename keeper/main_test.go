package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"checkout/keeper/rule"
	"checkout/keeper/status"
)

func TestArguments(t *testing.T) {
	for _, c := range []struct{ args, out, err string }{
		{"--version", "keeper devel ", ""},
		{"--help", "\n  KEEPER_TOKEN ", ""},
		{"help", "keeper handover ", ""},
		{"--verbose", "", `unexpected arguments "--verbose"; run keeper --help`},
		{"init 1", "", `unexpected arguments "init 1"; run keeper --help`},
		{"status", "", "SHARD"},
	} {
		var out strings.Builder
		args := append([]string{"keeper"}, strings.Fields(c.args)...)
		err := run(t.Context(), args, func(string) string { return "" }, &out)
		if (err != nil) != (c.err != "") || err != nil && !strings.Contains(err.Error(), c.err) ||
			!strings.Contains(out.String(), c.out) {
			t.Errorf("%s: got output %q and error %v, want %q and error %q",
				c.args, out.String(), err, c.out, c.err)
		}
	}
}

// TestInit checks that keeper init fails while a keeper or a Redis is dead, a node has the wrong data, or another node
// has a promise. Then it checks that keeper init turns a single shard into a replicated shard. While no other node
// has a copy of the data, a second keeper init must succeed.
func TestInit(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	refuse := func(name, want string) {
		t.Helper()
		s.eventually("init is refused: "+name, func() bool {
			out, err := s.command(0, "init")
			if err == nil {
				t.Errorf("init, %s: got %q, want an error with %q", name, out, want)
			}
			return strings.Contains(out, want) // a slow machine can cause other errors
		})
		for i, n := range s.status() {
			if n.Role == status.Primary || i != 2 && n.Promised > 0 {
				t.Errorf("after the refused init (%s): got %+v, want no primary and no promise", name, n)
			}
		}
	}
	ctx := t.Context()
	master := func(i int, commands ...[]any) {
		t.Helper()
		c := s.nodes[i].admin()
		defer c.Close()
		commands = append([][]any{{"REPLICAOF", "NO", "ONE"}}, append(commands, []any{"REPLICAOF", "127.0.0.1", "1"})...)
		for _, command := range commands {
			if err := c.Do(ctx, command...).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	role := func(i int, want string) {
		t.Helper()
		s.eventually("node is "+want, func() bool { return s.status()[i].Role == want })
	}
	if out, err := s.command(0, "healthcheck"); err != nil {
		t.Errorf("keeper healthcheck: got error %v and output %s, want no error", err, out)
	}
	if out, err := s.command(0, "status"); err == nil || !strings.Contains(out, "cannot acknowledge writes") {
		t.Errorf("keeper status before init: got error %v and output %s, want \"cannot acknowledge writes\"",
			err, out)
	}
	stop(s.nodes[1].keeper)
	refuse("a keeper is dead", "ask node 1: ")
	s.startKeeper(1)
	role(1, status.Uninitialized)
	stop(s.nodes[2].redis)
	role(2, status.Unreachable)
	refuse("a Redis is dead", "node 2: dial tcp")
	s.startRedis(2)
	role(2, status.Uninitialized)
	master(1, []any{"SET", "x", 1})
	role(1, status.Foreign)
	refuse("another node has data", "node 1: the Redis of this node has data of another system")
	master(1, []any{"FLUSHALL"})
	role(1, status.Uninitialized)
	master(0, []any{"HSET", "identity", "system", "checkout", "service", "stock", "index", "0"})
	refuse("data of another shard", "the Redis of this node has data of stock-0, not of order-0")
	master(0, []any{"HSET", "identity", "service", "order"})

	// A promise on a node without data shows that the shard was initialized, so init fails.
	stop(s.nodes[2].keeper)
	file := stateFile{filepath.Join(s.nodes[2].dir, "keeper.json"), "order-0", 2}
	if err := file.Save(rule.Promise{Epoch: 4}); err != nil {
		t.Fatal(err)
	}
	s.startKeeper(2)
	role(2, status.Empty)
	refuse("a keeper has a promise", "node 2: the shard is initialized: the node has promised epoch 4")
	stop(s.nodes[2].keeper)
	os.Remove(file.path)
	s.startKeeper(2)
	role(2, status.Uninitialized)

	master(0, []any{"SET", "{o0}seq", 1234}, []any{"SET", "{o0}n", 77})
	s.init(0)
	out, err := s.command(0, "init")
	if err == nil || !strings.Contains(out, "the shard is initialized") {
		t.Errorf("second init: got error %v and output %q, want \"the shard is initialized\"", err, out)
	}
	for i, n := range s.status() {
		if n.Epoch != 1 || n.Seq != 1234 {
			t.Errorf("node %d: got %+v, want epoch 1 and sequence 1234, as on the single shard", i, n)
		}
	}

	// The primary restarts before another node has a copy, so only a second init makes a primary.
	for _, n := range s.nodes {
		stop(n.redis)
	}
	for i, n := range s.nodes {
		if i > 0 {
			os.RemoveAll(filepath.Join(n.dir, "appendonlydir"))
		}
		s.startRedis(i)
	}
	role(0, status.Frozen)
	role(1, status.Empty)
	role(2, status.Empty)
	s.eventually("a second init", func() bool {
		s.command(0, "init")
		return s.primary() == 0
	})
	if n := s.status()[s.settle()]; n.Epoch < 2 || n.Seq != 1234 {
		t.Errorf("after the second init: got %+v, want an epoch above 1 and sequence 1234", n)
	}

	// A keeper without a state file exits if the data has an epoch.
	s.eventually("all nodes have the data on disk", func() bool {
		client, err := s.find()
		if err != nil {
			return false
		}
		defer client.Close()
		conn := client.Conn()
		defer conn.Close()
		conn.Incr(t.Context(), "{o0}n")
		disks, _ := conn.Do(t.Context(), "WAITAOF", 1, 2, 1000).Int64Slice()
		return len(disks) == 2 && disks[1] == 2
	})
	stop(s.nodes[1].keeper)
	stop(s.nodes[1].redis)
	os.Remove(filepath.Join(s.nodes[1].dir, "keeper.json"))
	s.startRedis(1)
	s.startKeeper(1)
	<-s.nodes[1].keeper.exited
	if state := s.nodes[1].keeper.ProcessState; state.ExitCode() != 1 ||
		!strings.Contains(s.nodes[1].log.String(), "there is no state file, but the data has epoch ") {
		t.Errorf("keeper without its state file: got %v, want exit status 1 and \"no state file\" in the log:\n%s",
			state, s.nodes[1].log)
	}
}

// TestRepairs checks that a keeper undoes commands that other clients have sent to its Redis.
func TestRepairs(t *testing.T) {
	t.Parallel()
	s := newShard(t)
	p := s.init(0)
	h := s.load(t)
	replica := s.nodes[(p+1)%3].admin()
	defer replica.Close()
	for _, command := range [][]any{
		{"REPLICAOF", "127.0.0.1", "9"}, {"REPLICAOF", "NO", "ONE"}, {"REPLICAOF", "127.0.0.1", "1"},
	} {
		if err := replica.Do(t.Context(), command...).Err(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(50 * time.Millisecond)
		s.settle()
	}
	if got := s.status()[p]; got.Role != status.Primary || got.Epoch != 1 {
		t.Errorf("after repairs of a replica: got %+v, want the primary of epoch 1", got)
	}

	// The Redis of the primary restarts as a master: it must not be the primary of its old epoch again.
	n := s.nodes[p]
	frozen := n.redisArgs
	n.redisArgs = nil
	for i, arg := range frozen {
		if arg != "--replicaof" && arg != "127.0.0.1 1" {
			n.redisArgs = append(n.redisArgs, frozen[i])
		}
	}
	stop(n.redis)
	s.startRedis(p)
	s.eventually("a newer epoch", func() bool {
		q := s.primary()
		return q >= 0 && s.status()[q].Epoch > 1
	})
	h.finish()
}
