package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
)

// Stack is a running system.
type Stack struct {
	cfg     Config
	dir     string
	logs    string
	lock    *os.File
	spawner *spawner
	reaper  *reaper
	parts   []*part // in the order of starting: Redis, machines, gateway
	byName  map[string]*part

	gateway  string              // host:port
	public   map[string][]string // host:port of each machine's public door, by service
	internal map[string][]string
	redises  map[string][]string // host:port of each shard, by service

	closing  sync.Once
	closed   chan struct{}
	closeErr error
}

// start makes one attempt; after an error nothing of it is left.
func start(ctx context.Context, cfg Config) (_ *Stack, err error) {
	s := &Stack{
		cfg: cfg, byName: map[string]*part{}, spawner: newSpawner(),
		public: map[string][]string{}, internal: map[string][]string{}, redises: map[string][]string{},
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
	if err := checkFree(s.parts); err != nil {
		return nil, err
	}
	s.say("building %s (the first time takes minutes)", strings.Join(Services(), ", "))
	bin, err := Build(ctx, cfg.Progress, Source{Race: cfg.Race, Tags: cfg.Tags, Overlay: cfg.Overlay})
	if err != nil {
		return nil, err
	}
	for _, p := range s.parts {
		if !filepath.IsAbs(p.path) {
			p.path = filepath.Join(bin, p.path)
		}
	}
	go func() {
		select {
		case <-ctx.Done():
			_ = s.Close() // kept for the caller's own Close
		case <-s.closed:
		}
	}()
	return s, s.startAll(ctx)
}

func (s *Stack) say(format string, args ...any) { fmt.Fprintf(s.cfg.Progress, format+"\n", args...) }

// openDir makes the data folder and takes it for this stack alone.
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
	if s.reaper, err = newReaper(temporary); err != nil {
		return err
	}
	if s.logs = s.cfg.Logs; s.logs == "" {
		s.logs = filepath.Join(s.dir, "logs")
	}
	for _, dir := range []string{s.dir, s.logs} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	name := filepath.Join(s.dir, "lock")
	if s.lock, err = os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return err
	}
	if err := syscall.Flock(int(s.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		holder, _ := os.ReadFile(name)
		return fmt.Errorf("the data folder %s is in use by another system (pid %s)", s.dir, strings.TrimSpace(string(holder)))
	}
	if err := s.lock.Truncate(0); err != nil {
		return err
	}
	_, err = s.lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return err
}

// plan gives every part its ports and its command: all ports first, because the machines are told each other's.
func (s *Stack) plan() error {
	redisServer, err := find("redis-server")
	if err != nil {
		return err
	}
	nginx, err := find("nginx")
	if err != nil {
		return err
	}
	ports := &ports{fixed: s.cfg.FixedPorts}
	for i, service := range Services() {
		size, step := s.cfg.size(service), i*fixedStep
		for shard := range size.Shards {
			port, err := ports.take(fixedRedis + step + shard)
			if err != nil {
				return err
			}
			s.redises[service] = append(s.redises[service], loopback(port))
			s.parts = append(s.parts, s.redis(redisServer, service, shard))
		}
		for machine := 1; machine <= size.Instances; machine++ {
			public, err := ports.take(fixedPublic + step + machine)
			if err != nil {
				return err
			}
			internal, err := ports.take(fixedInternal + step + machine)
			if err != nil {
				return err
			}
			s.public[service] = append(s.public[service], loopback(public))
			s.internal[service] = append(s.internal[service], loopback(internal))
		}
	}
	for _, service := range Services() {
		for i := range s.public[service] {
			machine, err := s.machine(service, i+1)
			if err != nil {
				return err
			}
			s.parts = append(s.parts, machine)
		}
	}
	port := s.cfg.GatewayPort
	if port == 0 {
		if port, err = ports.take(fixedGateway); err != nil {
			return err
		}
	}
	s.gateway = loopback(port)
	gateway, err := s.nginx(nginx)
	if err != nil {
		return err
	}
	s.parts = append(s.parts, gateway)
	for _, p := range s.parts {
		p.log = filepath.Join(s.logs, p.name+".log")
		p.spawner, p.reaper, p.onExit = s.spawner, s.reaper, s.cfg.OnExit
		s.byName[p.name] = p
	}
	return nil
}

// startAll starts all parts at once: none needs another to be there first.
func (s *Stack) startAll(ctx context.Context) error {
	for _, service := range Services() {
		for shard := range s.redises[service] {
			if err := os.MkdirAll(filepath.Join(s.dir, redisName(service, shard)), 0o755); err != nil {
				return err
			}
		}
	}
	return errors.Join(together(s.parts, func(p *part) error {
		if err := p.start(ctx); err != nil {
			return err
		}
		s.say("started %s (pid %d) on %s", p.name, p.current().pid, p.doors[0].addr)
		return nil
	}), context.Cause(ctx))
}

// together runs do for all parts at once and returns all errors.
func together(parts []*part, do func(*part) error) error {
	errs := make([]error, len(parts))
	var wg sync.WaitGroup
	for i, p := range parts {
		wg.Go(func() { errs[i] = do(p) })
	}
	wg.Wait()
	return errors.Join(errs...)
}

// Shutdown stops everything gracefully, so that no request in flight is lost and every Redis closes its file: the
// machines, the callers of the others first; then the gateway; then Redis. What does not stop in time is killed and
// reported. It closes the stack.
func (s *Stack) Shutdown(ctx context.Context) error {
	kinds := [][]*part{nil, nil, nil, nil}
	for _, p := range s.parts {
		switch {
		case strings.HasPrefix(p.name, "order-"):
			kinds[0] = append(kinds[0], p)
		case p.name == gatewayName:
			kinds[2] = append(kinds[2], p)
		case strings.HasPrefix(p.name, "redis-"):
			kinds[3] = append(kinds[3], p)
		default:
			kinds[1] = append(kinds[1], p)
		}
	}
	var errs []error
	for _, parts := range kinds {
		errs = append(errs, together(parts, func(p *part) error {
			if !p.current().running() {
				return nil
			}
			s.say("stopping %s", p.name)
			return p.end(ctx)
		}))
	}
	return errors.Join(errors.Join(errs...), s.Close())
}

// Close kills everything that is still running with SIGKILL and removes the temporary folder. It may be called more
// than once. With Race it reports the data races that the machines logged.
func (s *Stack) Close() error {
	s.closing.Do(func() {
		close(s.closed)
		s.spawner.refuse()
		errs := []error{together(s.parts, (*part).kill)}
		s.spawner.close()
		if s.cfg.Race {
			errs = append(errs, s.races())
		}
		if s.lock != nil {
			errs = append(errs, s.lock.Close())
		}
		if s.reaper != nil {
			errs = append(errs, s.reaper.close())
		}
		s.closeErr = errors.Join(errs...)
	})
	return s.closeErr
}

// races finds the reports of the race detector in the logs.
func (s *Stack) races() error {
	var errs []error
	for _, p := range s.parts {
		b, err := os.ReadFile(p.log)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
		if _, report, found := strings.Cut(string(b), "WARNING: DATA RACE"); found {
			errs = append(errs, fmt.Errorf("%s: data race:%s", p.name, report[:min(len(report), 4000)]))
		}
	}
	return errors.Join(errs...)
}
