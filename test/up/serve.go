package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"

	"checkout/test/stack"
	"checkout/test/supervise"
)

// serve runs the system until ctx ends.
func serve(ctx context.Context, cfg stack.Config, stdout io.Writer) error {
	out := &lines{w: stdout}
	cfg.Progress = out
	if cfg.Dir == "" {
		cfg.Dir = defaultDir
	}
	if cfg.Shards == 0 {
		cfg.Shards = cfg.Instances
		for _, service := range stack.Services() {
			cfg.Shards = max(cfg.Shards, stack.ShardsIn(cfg.Dir, service))
		}
	}

	supervisor, err := supervise.New(ctx, &cfg, out.printf)
	if err != nil {
		return err
	}
	defer supervisor.Close()

	// Receive these signals of test/up/backup as long as this process runs. By default, the signals would kill the
	// process. A signal that arrives during the start waits until the system is ready.
	pauses := make(chan os.Signal, 2)
	signal.Notify(pauses, syscall.SIGUSR1, syscall.SIGUSR2)
	defer signal.Stop(pauses)

	// An interrupt during the start kills everything. A later interrupt stops the system gracefully.
	starting, kill := context.WithCancel(context.Background())
	defer kill()
	detach := context.AfterFunc(ctx, kill)
	s, err := stack.Start(starting, cfg)
	if ctx.Err() != nil {
		if err == nil { // the interrupt came after the last component had started
			_ = s.Close()
		}
		out.printf("stopped while starting")
		return nil
	}
	if err != nil {
		return explain(err)
	}
	detach()

	var tasks sync.WaitGroup
	tasks.Go(func() { supervisor.Run(s) })
	stop := func() error {
		tasks.Wait()
		out.printf("stopping; press Ctrl-C again to kill everything")
		err := s.Shutdown(context.Background())
		if err == nil {
			out.printf("stopped; the data is in %s", s.Dir())
		}
		return err
	}

	out.printf("waiting for the system to be ready")
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.WaitReady(ready); err != nil && ctx.Err() == nil {
		kill()
		return errors.Join(err, s.Close())
	}
	if ctx.Err() == nil {
		out.printf("%s", welcome(s, cfg))
		tasks.Go(func() { pauseGateway(ctx, pauses, s, out) })
	}
	<-ctx.Done()
	return stop()
}

// explain adds advice to an error about ports in use, about a smaller number of shards, or about a different number of
// nodes.
func explain(err error) error {
	var shrink *stack.ShrinkError
	if errors.As(err, &shrink) {
		return fmt.Errorf("%w\na shard cannot be removed, because its data exists nowhere else: set SHARDS=%d or leave "+
			"SHARDS out, or set DATA to another directory to start with new data", err, shrink.Have)
	}
	var replicas *stack.ReplicasError
	if errors.As(err, &replicas) {
		return fmt.Errorf("%w\nset REPLICAS=%d or leave REPLICAS out, or set DATA to another directory to start with new "+
			"data", err, replicas.Have)
	}
	var taken *stack.TakenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%w\nnothing was started; stop these processes, or set GATEWAY_PORT to use another port", err)
	}
	return err
}

func welcome(s *stack.Stack, cfg stack.Config) string {
	gateway := strings.Replace(s.Gateway(), "127.0.0.1", "localhost", 1)
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe system is ready at %s/orders/, /stock/ and /payment/.\n\n", gateway)
	fmt.Fprintf(&b, "  %-8s %s/\n  %-8s %s/docs\n", "console", gateway, "API docs", gateway)
	for _, service := range stack.Services() {
		fmt.Fprintf(&b, "  %-8s internal ports %s  metrics %s  Redis %s\n", service,
			strings.Join(s.InternalURLs(service), " "),
			strings.Join(s.MetricsURLs(service), "/metrics ")+"/metrics", strings.Join(s.RedisAddrs(service), " "))
		if keepers := s.KeeperURLs(service); keepers != nil {
			fmt.Fprintf(&b, "  %-8s keepers %s/status\n", "", strings.Join(keepers, "/status "))
		}
	}
	fmt.Fprintf(&b, "  %-8s %s, logs in %s\n", "data", s.Dir(), cmp.Or(cfg.Logs, filepath.Join(s.Dir(), "logs")))
	curl := ""
	if _, err := exec.LookPath("curl"); err != nil {
		curl = " (apt-get install curl)"
	}
	proxy := cmp.Or(os.Getenv("http_proxy"), os.Getenv("all_proxy"), os.Getenv("ALL_PROXY"))
	if except := os.Getenv("no_proxy") + os.Getenv("NO_PROXY"); proxy != "" && !strings.Contains(except, "localhost") {
		b.WriteString("\nThis shell uses a proxy even for localhost. First run: export no_proxy=localhost,127.0.0.1,::1\n")
	}
	fmt.Fprintf(&b, `
Try%s:

  G=%s
  user=$(curl -sX POST $G/payment/create_user | cut -d'"' -f4)
  curl -sw '\n' -X POST $G/payment/add_funds/$user/100
  item=$(curl -sX POST $G/stock/item/create/5 | cut -d'"' -f4)
  curl -sw '\n' -X POST $G/stock/add/$item/10
  order=$(curl -sX POST $G/orders/create/$user | cut -d'"' -f4)
  curl -sw '\n' -X POST $G/orders/addItem/$order/$item/2
  curl -sw '\n' -X POST $G/orders/checkout/$order
  curl -sw '\n' $G/orders/find/$order $G/payment/find_user/$user $G/stock/find/$item

`, curl, gateway)
	if cfg.Instances == 1 {
		b.WriteString("To scale up on the same data, run MACHINES=2 make up. ")
	}
	b.WriteString("Press Ctrl-C to stop.")
	return b.String()
}

// lines is a writer that several goroutines can use.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *lines) printf(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }
