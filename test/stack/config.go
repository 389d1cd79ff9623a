package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// Services returns the names of the three services.
func Services() []string { return []string{"order", "stock", "payment"} }

// peersOf returns the services whose internal ports a service calls.
func peersOf(service string) []string {
	switch service {
	case "order":
		return []string{"stock", "payment"}
	case "payment":
		return []string{"order"}
	default:
		return nil
	}
}

// Size is the number of instances and shards of one service.
type Size struct{ Instances, Shards int }

// Config describes the system to start. The zero value is one instance and one shard of each service, on free ports,
// with its data in a temporary directory that Close removes.
type Config struct {
	Instances int             // number for each service; 0 means 1
	Shards    int             // number for each service; 0 means the number of instances
	Sizes     map[string]Size // overrides Instances and Shards, by service

	// Replicas is the number of nodes of each shard: 1 or Copies; 0 means 1. With Copies, each node has a keeper.
	Replicas int

	Dir  string // data, logs and nginx's files; empty: a temporary directory that Close removes
	Logs string // directory with a log file per component; empty: Dir/logs
	Kept string // directory for the files of failed runs: see Keep; empty: bin/failed

	// FixedPorts selects the ports listed in ports.go instead of free ports, so that the addresses stay the same after a
	// restart. If a port is in use, Start returns a TakenError before it starts anything.
	FixedPorts  bool
	GatewayPort int // 0: 8000 with FixedPorts, otherwise a free port

	Listen        string   // more directives for the gateway's listen.conf
	RedisMemory   string   // maxmemory of each redis-server; empty: 1gb
	RedisPassword string   // password of every redis-server; empty: none
	RedisArgs     []string // more arguments for every redis-server

	// Env adds "KEY=value" entries to environments. The map key is the name of a component other than nginx, the name of
	// a service for all its instances, "keeper" for all keepers, or "" for all instances and keepers. The gateway also
	// uses CORS_ORIGINS and CLIENT_TRACES of "".
	Env map[string][]string

	Race    bool    // build the services with the race detector; Close then reports data races
	Tags    string  // build tags of the services; "faults" enables fail points
	Overlay Overlay // source files to replace in the build
	Version string  // version that the services print for --version; empty: "devel"

	Progress io.Writer                    // receives one line per step; nil: discard
	OnExit   func(name string, err error) // called when a component exits unexpectedly; err is its exit status

	// Proxy, if set, is called before the start for each connection between two components. The component "to" listens
	// at addr. The component "from" connects to the address that Proxy returns.
	Proxy func(from, to, addr string) (string, error)
}

func (c Config) size(service string) Size {
	size := Size{c.Instances, c.Shards}
	if s, ok := c.Sizes[service]; ok {
		size = s
	}
	size.Instances = max(size.Instances, 1)
	if size.Shards == 0 {
		size.Shards = size.Instances
	}
	return size
}

func (c Config) check() error {
	for _, service := range Services() {
		size := c.size(service)
		if size.Instances > maxPerService || size.Shards < 1 || size.Shards > maxPerService {
			return fmt.Errorf("start %s with %d instances and %d shards: want 1 to %d of each",
				service, size.Instances, size.Shards, maxPerService)
		}
		if have := ShardsIn(c.Dir, service); have > size.Shards {
			return &ShrinkError{Dir: c.Dir, Service: service, Shards: size.Shards, Have: have}
		}
	}
	if c.Replicas < 0 || c.Replicas > 1 && c.Replicas != Copies {
		return fmt.Errorf("start with shards of %s: want 1 or %d", nodes(c.Replicas), Copies)
	}
	if have := ReplicasIn(c.Dir); have > 0 && have != max(c.Replicas, 1) {
		return &ReplicasError{Dir: c.Dir, Replicas: max(c.Replicas, 1), Have: have}
	}
	return nil
}

// ShrinkError is the error of Start if a directory contains more shards of a service than the Config has.
type ShrinkError struct {
	Dir, Service string
	Shards, Have int
}

func (e *ShrinkError) Error() string {
	return fmt.Sprintf("start with %[4]d shards of %[3]s: %[1]s holds %[2]d shards of %[3]s",
		e.Dir, e.Have, e.Service, e.Shards)
}

// ReplicasError is the error of Start if the shards in a directory have another number of nodes than the Config.
type ReplicasError struct {
	Dir            string
	Replicas, Have int
}

func (e *ReplicasError) Error() string {
	return fmt.Sprintf("start with shards of %s: the shards in %s have %s", nodes(e.Replicas), e.Dir, nodes(e.Have))
}

func nodes(n int) string {
	if n == 1 {
		return "1 node"
	}
	return fmt.Sprintf("%d nodes", n)
}

// ShardsIn returns the number of shards of a service that have data in dir.
func ShardsIn(dir, service string) int {
	if dir == "" {
		return 0
	}
	n := 0
	for replicasOf(dir, service, n) > 0 {
		n++
	}
	return n
}

// ReplicasIn returns the number of nodes of each shard that has data in dir, or 0 if no shard has data.
func ReplicasIn(dir string) int {
	if dir == "" {
		return 0
	}
	n := 0
	for _, service := range Services() {
		n = max(n, replicasOf(dir, service, 0))
	}
	return n
}

// replicasOf returns the number of nodes of a shard:
//   - 3 if dir has data of any of three nodes; a replicated shard may have lost the others
//   - 1 if dir has data of a single shard
//   - 0 if dir has no data of the shard
func replicasOf(dir, service string, shard int) int {
	exists := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	}
	for node := range Copies {
		if exists(nodeName(service, shard, node)) {
			return Copies
		}
	}
	if exists(redisName(service, shard)) {
		return 1
	}
	return 0
}

func redisName(service string, shard int) string { return fmt.Sprintf("redis-%s-%d", service, shard) }
func nodeName(service string, shard, node int) string {
	return fmt.Sprintf("redis-%s-%d-%d", service, shard, node)
}
func instanceName(service string, instance int) string {
	return fmt.Sprintf("%s-%d", service, instance)
}

const (
	gatewayName  = "nginx"
	keeperBinary = "keeper"
)

// Start builds the services and starts every component. It returns when every Redis responds, every new replicated
// shard has its first primary, and every other component listens. The services may not be ready yet: see WaitReady.
// When ctx ends, even after Start has returned, all processes are killed.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	// Retry with other ports, because another process can take a port between the check and the start.
	const tries = 5
	for try := 1; ; try++ {
		s, err := start(ctx, cfg)
		if err == nil {
			return s, nil
		}
		var taken *TakenError
		lostRace := errors.As(err, &taken) || strings.Contains(strings.ToLower(err.Error()), "address already in use")
		if !lostRace || cfg.FixedPorts || try == tries || ctx.Err() != nil {
			return nil, err
		}
	}
}
