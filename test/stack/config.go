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

// Services are the names of the three services, in the order in which the gateway's routes are usually told.
func Services() []string { return []string{"order", "stock", "payment"} }

// needs says which services' internal doors a service calls.
func needs(service string) []string {
	switch service {
	case "order":
		return []string{"stock", "payment"}
	case "payment":
		return []string{"order"}
	default:
		return nil
	}
}

// Size is how many machines and shards one service has.
type Size struct{ Instances, Shards int }

// Config says what to start. The zero value is one machine and one shard of each service, on free ports, with its
// data in a temporary folder that Close removes.
type Config struct {
	Instances int             // of each service; 0 is 1
	Shards    int             // of each service; 0 is as many as machines
	Sizes     map[string]Size // other sizes for single services

	Dir  string // data, logs and nginx's files; kept. Empty: a temporary folder, removed by Close
	Logs string // one log file for each part; empty: Dir/logs

	// FixedPorts takes the ports of the plan in ports.go instead of free ones, so that addresses stay the same over
	// restarts. Start then fails, before it has started anything, with a TakenError if one of them is taken.
	FixedPorts  bool
	GatewayPort int // 0: 8000 with FixedPorts, a free one without

	Listen        string              // more directives for the gateway's listen.conf
	Env           map[string][]string // "KEY=value" for the machines of a service, "" for those of all services, or for one part by its name
	RedisMemory   string              // maxmemory of each redis-server; empty: 1gb
	RedisPassword string              // of every redis-server; empty: none
	RedisArgs     []string            // more arguments for every redis-server
	Race          bool                // build the services with the race detector; Close then reports the races found
	Tags          string              // build tags of the services; with "faults" they have fail points
	Overlay       Overlay             // files to build the services with instead of their own

	Progress io.Writer                    // a line for each thing done; nil: none
	OnExit   func(name string, err error) // called, if set, when a part ends that nobody asked to; err says how

	// Proxy is asked, if set, for each way from one part to another that listens on addr, before anything starts; what it returns is
	// where the former looks for the latter.
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
			return fmt.Errorf("%s: %d machines over %d shards: each must be from 1 to %d",
				service, size.Instances, size.Shards, maxPerService)
		}
		if have := ShardsIn(c.Dir, service); have > size.Shards {
			return fmt.Errorf("%s holds %d shards of %s, and was to be started with %d: the data of the others would be missing",
				c.Dir, have, service, size.Shards)
		}
	}
	return nil
}

// ShardsIn tells how many shards of a service have data in dir.
func ShardsIn(dir, service string) int {
	if dir == "" {
		return 0
	}
	n := 0
	for ; ; n++ {
		if _, err := os.Stat(filepath.Join(dir, redisName(service, n))); err != nil {
			return n
		}
	}
}

func redisName(service string, shard int) string     { return fmt.Sprintf("redis-%s-%d", service, shard) }
func machineName(service string, machine int) string { return fmt.Sprintf("%s-%d", service, machine) }

const gatewayName = "nginx"

// Start builds the services and starts every part. It returns when every redis-server answers and every other part
// listens; the services may still be on their way: see WaitReady. If ctx ends, before or after Start has returned,
// everything is killed at once.
func Start(ctx context.Context, cfg Config) (*Stack, error) {
	if cfg.Progress == nil {
		cfg.Progress = io.Discard
	}
	if err := cfg.check(); err != nil {
		return nil, err
	}
	// A free port can be taken by somebody else between the moment it was found and the moment it is bound.
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
