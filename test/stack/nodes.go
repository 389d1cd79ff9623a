package stack

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"checkout/common/child"
)

// Node is one Redis of a shard: the only one, or one of three copies, each with a keeper.
type Node struct {
	Name string // name of the component: "redis-order-0", or "redis-order-0-1" for node 1; nodes count from 0
	Addr string // host:port
	Dir  string // directory with the data

	Keeper     string // name of the keeper's component: "keeper-order-0-1"; empty: none
	KeeperAddr string // host:port
	metrics    string // host:port of the keeper's monitoring port
}

// Copies is the number of nodes of a replicated shard.
const Copies = 3

// Nodes returns the nodes of a shard.
func (s *Stack) Nodes(service string, shard int) []Node { return s.shards[service][shard] }

// nodes returns all nodes of all shards.
func (s *Stack) nodes() []Node {
	var all []Node
	for _, service := range Services() {
		all = append(all, slices.Concat(s.shards[service]...)...)
	}
	return all
}

// newShard returns the nodes of a shard, with their ports. The last argument is the offset of the service's fixed ports
// from those of the first service.
func (s *Stack) newShard(service string, shard, step int) []Node {
	name := redisName(service, shard)
	if s.cfg.Replicas <= 1 {
		return []Node{{Name: name, Addr: s.ports.addr(fixedRedis + step + shard), Dir: filepath.Join(s.dir, name)}}
	}
	var nodes []Node
	for i := range s.cfg.Replicas {
		name := nodeName(service, shard, i)
		port := step + i*len(Services())*fixedStep + shard
		nodes = append(nodes, Node{
			Name: name, Addr: s.ports.addr(fixedRedis + port), Dir: filepath.Join(s.dir, name),
			Keeper:     "keeper" + strings.TrimPrefix(name, "redis"),
			KeeperAddr: s.ports.addr(fixedKeeper + port), metrics: s.ports.addr(fixedKeeperMetrics + port),
		})
	}
	return nodes
}

// keeper returns the keeper of a node of a replicated shard. Before the build, its path is only the name of the binary.
func (s *Stack) keeper(service string, shard, number int) (*component, error) {
	nodes := s.shards[service][shard]
	own := nodes[number]
	var redises, keepers []string
	for _, node := range nodes {
		for _, connection := range []struct {
			from, to, addr string
			list           *[]string
		}{
			{own.Name, node.Name, node.Addr, &redises},
			{own.Keeper, node.Keeper, node.KeeperAddr, &keepers},
		} {
			addr := []string{connection.addr}
			if node != own {
				var err error
				addr, err = s.proxied(connection.from, addr, func(int) string { return connection.to })
				if err != nil {
					return nil, err
				}
			}
			*connection.list = append(*connection.list, addr...)
		}
	}
	env := append(inherited(os.Environ()),
		fmt.Sprintf("SHARD=%s-%d", service, shard), fmt.Sprintf("NODE=%d", number),
		"NODES="+strings.Join(redises, "+"), "KEEPERS="+strings.Join(keepers, "+"), "REDIS_ADDR="+own.Addr,
		"STATE_FILE="+filepath.Join(own.Dir, "keeper.json"), "KEEPER_TOKEN="+s.keeperToken,
		"BIND=127.0.0.1", "PORT="+portOf(own.KeeperAddr), "METRICS_PORT="+portOf(own.metrics),
	)
	if s.cfg.RedisPassword != "" {
		env = append(env, "REDIS_PASSWORD="+s.cfg.RedisPassword)
	}
	return &component{
		name: own.Keeper, path: keeperBinary,
		env:       slices.Concat(env, s.cfg.Env[""], s.cfg.Env[keeperBinary], s.cfg.Env[own.Keeper]),
		stop:      syscall.SIGTERM,
		listeners: []listener{{own.KeeperAddr, "keeper of " + own.Name}, {own.metrics, "monitoring port"}},
		ready:     "http://" + own.KeeperAddr + "/readyz",
		check:     func(ctx context.Context, _ int) error { return checkListens(ctx, own.KeeperAddr) },
	}, nil
}

// replicaArgs returns the arguments of a Redis with a keeper. Until its keeper gives it a role, the Redis is frozen: it
// is a replica of port 1, where nothing listens.
func (s *Stack) replicaArgs() []string {
	args := []string{
		"--replicaof", "127.0.0.1 1", "--replica-read-only", "yes", "--replica-serve-stale-data", "yes",
		"--repl-diskless-load", "disabled", "--repl-diskless-sync-delay", "0",
		"--repl-timeout", "5", "--repl-backlog-size", "64mb", "--shutdown-on-sigterm", "now force",
		"--rename-command", "SYNC", "",
	}
	if s.cfg.RedisPassword != "" {
		args = append(args, "--masterauth", s.cfg.RedisPassword)
	}
	return args
}

// initShards makes node 0 the first primary of each replicated shard that has never had a primary. All nodes and
// keepers must run.
func (s *Stack) initShards(ctx context.Context) error {
	var errs []error
	var mu sync.Mutex
	var tasks sync.WaitGroup
	for _, service := range Services() {
		for shard := range s.shards[service] {
			tasks.Go(func() {
				if err := s.initShard(ctx, service, shard); err != nil {
					mu.Lock()
					defer mu.Unlock()
					errs = append(errs, fmt.Errorf("init shard %d of %s: %w", shard, service, err))
				}
			})
		}
	}
	tasks.Wait()
	return errors.Join(errs...)
}

// initShard calls tryInit until it succeeds. On a busy host, a node may not respond in time.
func (s *Stack) initShard(ctx context.Context, service string, shard int) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		err := s.tryInit(ctx, service, shard)
		if err == nil {
			return nil
		}
		select {
		case <-time.After(readyInterval):
		case <-ctx.Done():
			return err
		}
	}
}

// tryInit runs `keeper init`, unless a node already has an epoch.
func (s *Stack) tryInit(ctx context.Context, service string, shard int) error {
	nodes := s.shards[service][shard]
	for _, node := range nodes {
		if _, epoch, err := s.role(ctx, node, service, shard); epoch > 0 || err != nil {
			return err
		}
	}
	cmd, err := s.Command(ctx, nodes[0].Keeper, "init")
	if err != nil {
		return err
	}
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err = child.Start(cmd); err == nil {
		err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("keeper init: %w\n%s", err, output.String())
	}
	return nil
}

// Primary returns the node with the current data of a shard. For a replicated shard, this is the master with the
// highest epoch, and Primary returns an error if no node responds as a master, for example during a failover.
func (s *Stack) Primary(ctx context.Context, service string, shard int) (Node, error) {
	nodes := s.shards[service][shard]
	if len(nodes) == 1 {
		return nodes[0], nil
	}
	var primary Node
	var highest int64
	var errs []error
	for _, node := range nodes {
		role, epoch, err := s.role(ctx, node, service, shard)
		switch {
		case err != nil:
			errs = append(errs, err)
		case role == "master" && epoch > highest:
			primary, highest = node, epoch
		}
	}
	if highest == 0 {
		return Node{}, errors.Join(append(errs, fmt.Errorf("shard %d of %s has no primary", shard, service))...)
	}
	return primary, nil
}

// addrsOf returns the host:port of each node.
func addrsOf(nodes []Node) []string {
	var addrs []string
	for _, node := range nodes {
		addrs = append(addrs, node.Addr)
	}
	return addrs
}

// role returns the role and the epoch of a node. The epoch is 0 if the node has none.
func (s *Stack) role(ctx context.Context, node Node, service string, shard int) (role string, epoch int64, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("ask %s for its role: %w", node.Name, err)
		}
	}()
	conn, err := dial(ctx, node.Addr)
	if err != nil {
		return "", 0, err
	}
	defer conn.Close()
	commands := fmt.Sprintf("%sGET {%s%d}epoch\r\nROLE\r\n", s.redisAuth(), service[:1], shard)
	if _, err := conn.Write([]byte(commands)); err != nil {
		return "", 0, err
	}
	var lines []string // "$1", "7" (or only "$-1"), and then "*3", "$6", "master"
	replies := bufio.NewScanner(conn)
	for len(lines) < 4 || lines[0] != "$-1" && len(lines) < 5 {
		if !replies.Scan() {
			return "", 0, cmp.Or(replies.Err(), io.ErrUnexpectedEOF)
		}
		line := replies.Text()
		if strings.HasPrefix(line, "-") {
			return "", 0, errors.New(line[1:])
		}
		if line != "+OK" { // the reply to AUTH
			lines = append(lines, line)
		}
	}
	if lines[0] != "$-1" {
		epoch, err = strconv.ParseInt(lines[1], 10, 64)
	}
	return lines[len(lines)-1], epoch, err
}
