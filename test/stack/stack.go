package stack

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
)

// Stack is a running system.
type Stack struct {
	cfg        Config
	dir        string
	logs       string
	lock       *os.File
	ports      ports
	reaper     *reaper
	components []*component // Redis, keepers, instances, gateway
	byName     map[string]*component

	gateway  string              // host:port
	gateway6 string              // the same port on ::1, because "localhost" may mean ::1; empty without IPv6
	public   map[string][]string // service -> host:port of each instance's public port
	internal map[string][]string // service -> host:port of each instance's internal port
	metrics  map[string][]string // service -> host:port of each instance's monitoring port
	shards   map[string][][]Node // service -> nodes of each shard

	keeperToken string // value of KEEPER_TOKEN for all keepers

	keeping sync.Mutex
	kept    string // the folder that Keep has returned

	closing  sync.Once
	closed   chan struct{}
	closeErr error
}

var errClosed = errors.New("the stack is closed")

// start tries once to start the system. After an error, it stops all components that it started.
func start(ctx context.Context, cfg Config) (_ *Stack, err error) {
	s := &Stack{
		cfg: cfg, byName: map[string]*component{},
		public: map[string][]string{}, internal: map[string][]string{}, metrics: map[string][]string{},
		shards: map[string][][]Node{}, keeperToken: rand.Text(),
		closed: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.openDir(); err != nil {
		return nil, err
	}
	if err := s.plan(); err != nil {
		return nil, err
	}
	if err := checkFree(s.components); err != nil {
		return nil, err
	}
	source := Source{
		Race: cfg.Race, Tags: cfg.Tags, Overlay: cfg.Overlay, Version: cfg.Version, Keeper: cfg.Replicas > 1,
	}
	s.logf("building %s (the first build takes minutes)", strings.Join(source.programs(), ", "))
	bin, err := Build(ctx, cfg.Progress, source)
	if err != nil {
		return nil, err
	}
	for _, c := range s.components {
		if !filepath.IsAbs(c.path) {
			c.path = filepath.Join(bin, c.path)
		}
	}
	go func() {
		select {
		case <-ctx.Done():
			_ = s.Close() // a later Close returns the same error
		case <-s.closed:
		}
	}()
	return s, s.startAll(ctx)
}

func (s *Stack) logf(format string, args ...any) { fmt.Fprintf(s.cfg.Progress, format+"\n", args...) }

// openDir creates the data directory and locks it.
func (s *Stack) openDir() (err error) {
	temporary := ""
	if s.dir = s.cfg.Dir; s.dir == "" {
		if s.dir, err = os.MkdirTemp("", "checkout-stack-"); err != nil {
			return err
		}
		temporary = s.dir
	}
	if s.dir, err = filepath.Abs(s.dir); err != nil {
		return err
	}
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	// test/up/backup finds processes by the path of their data, which the kernel reports without symbolic links.
	if s.dir, err = filepath.EvalSymlinks(s.dir); err != nil {
		return err
	}
	if s.reaper, err = newReaper(temporary); err != nil {
		return err
	}
	if s.logs = s.cfg.Logs; s.logs == "" {
		s.logs = filepath.Join(s.dir, "logs")
	}
	if err := os.MkdirAll(s.logs, 0o755); err != nil {
		return err
	}
	s.lock, err = lockFile(filepath.Join(s.dir, "lock"))
	return err
}

// plan creates all components without starting them.
func (s *Stack) plan() error {
	server := "redis-server"
	if s.cfg.Replicas > 1 {
		server = replicaServer()
	}
	redisServer, err := find(server)
	if err != nil {
		return err
	}
	nginx, err := find("nginx")
	if err != nil {
		return err
	}
	root, err := Root()
	if err != nil {
		return err
	}
	if err := s.assignPorts(); err != nil {
		return err
	}
	var keepers []*component
	for _, service := range Services() {
		for shard, nodes := range s.shards[service] {
			for i, node := range nodes {
				purpose := fmt.Sprintf("shard %d of %s", shard, service)
				s.components = append(s.components, s.redis(filepath.Join(root, redisStart), redisServer, node, purpose))
				if node.Keeper == "" {
					continue
				}
				keeper, err := s.keeper(service, shard, i)
				if err != nil {
					return err
				}
				keepers = append(keepers, keeper)
			}
		}
	}
	s.components = append(s.components, keepers...)
	for _, service := range Services() {
		for i := range s.public[service] {
			instance, err := s.instance(service, i+1)
			if err != nil {
				return err
			}
			s.components = append(s.components, instance)
		}
	}
	gateway, err := s.nginx(nginx)
	if err != nil {
		return err
	}
	s.components = append(s.components, gateway)
	for _, c := range s.components {
		c.log = filepath.Join(s.logs, c.name+".log")
		c.reaper, c.closed, c.onExit = s.reaper, s.closed, s.cfg.OnExit
		s.byName[c.name] = c
	}
	return nil
}

// startAll starts all components concurrently, unless the shards are replicated. Replicated shards start before the
// other components: first all nodes, then all keepers, and then each new shard gets its first primary.
func (s *Stack) startAll(ctx context.Context) error {
	for _, node := range s.nodes() {
		if err := os.MkdirAll(node.Dir, 0o755); err != nil {
			return err
		}
	}
	start := func(components []*component) error {
		return errors.Join(parallel(components, func(c *component) error {
			if err := c.start(ctx); err != nil {
				return err
			}
			s.logf("started %s (pid %d) on %s", c.name, c.process().pid, c.listeners[0].addr)
			return nil
		}), context.Cause(ctx))
	}
	if s.cfg.Replicas <= 1 {
		return start(s.components)
	}
	n := len(s.nodes())
	nodes, keepers, others := s.components[:n], s.components[n:2*n], s.components[2*n:]
	if err := start(nodes); err != nil {
		return err
	}
	if err := start(keepers); err != nil {
		return err
	}
	if err := s.initShards(ctx); err != nil {
		return errors.Join(err, context.Cause(ctx))
	}
	return start(others)
}

// parallel calls a function for all components concurrently and joins the errors.
func parallel(components []*component, do func(*component) error) error {
	errs := make([]error, len(components))
	var wg sync.WaitGroup
	for i, c := range components {
		wg.Go(func() { errs[i] = do(c) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Shutdown stops the system gracefully: requests in flight finish, and every Redis closes its append-only file.
// Shutdown stops order, then stock and payment, then the gateway, the keepers and Redis. After a timeout, Shutdown
// kills a component and reports an error. Finally, Shutdown closes the stack.
func (s *Stack) Shutdown(ctx context.Context) error {
	groups := make([][]*component, 5)
	for _, c := range s.components {
		group := 1 // stock and payment
		switch {
		case strings.HasPrefix(c.name, "order-"):
			group = 0
		case c.name == gatewayName:
			group = 2
		case strings.HasPrefix(c.name, "keeper-"):
			group = 3
		case strings.HasPrefix(c.name, "redis-"):
			group = 4
		}
		groups[group] = append(groups[group], c)
	}
	var errs []error
	for _, group := range groups {
		errs = append(errs, parallel(group, func(c *component) error {
			if !c.process().running() {
				return nil
			}
			s.logf("stopping %s", c.name)
			return c.shutdown(ctx)
		}))
	}
	return errors.Join(errors.Join(errs...), s.Close())
}

// Close kills all running processes, copies the directory if Keep was called, and removes the temporary directory.
// With Config.Race, Close returns the data races that the services logged. Later calls return the same error.
func (s *Stack) Close() error {
	s.closing.Do(func() {
		s.keeping.Lock()
		close(s.closed)
		s.keeping.Unlock()
		errs := []error{parallel(s.components, (*component).kill)}
		errs = append(errs, s.copyKept())
		if s.cfg.Race {
			errs = append(errs, s.races())
		}
		errs = append(errs, s.ports.close())
		if s.lock != nil {
			errs = append(errs, unlock(s.lock))
		}
		if s.reaper != nil {
			errs = append(errs, s.reaper.close())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}

// races returns an error for each log with a report of the race detector.
func (s *Stack) races() error {
	var errs []error
	for _, c := range s.components {
		b, err := os.ReadFile(c.log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		if _, report, found := strings.Cut(string(b), "WARNING: DATA RACE"); found {
			errs = append(errs, fmt.Errorf("%s: data race:%s", c.name, report[:min(len(report), 4000)]))
		}
	}
	return errors.Join(errs...)
}
