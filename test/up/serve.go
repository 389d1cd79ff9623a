package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"checkout/test/stack"
)

const (
	minBackoff = time.Second // before a restart; doubled after each failure
	maxBackoff = 30 * time.Second
)

// exit is an unexpected exit of a component.
type exit struct {
	name string
	err  error
}

// serve runs the system until ctx ends.
func serve(ctx context.Context, cfg stack.Config, stdout io.Writer) error {
	out := &lines{w: stdout}
	exits := make(chan exit)
	cfg.Progress = out
	cfg.OnExit = func(name string, err error) {
		select {
		case exits <- exit{name, err}:
		case <-ctx.Done():
		}
	}
	if cfg.Dir == "" {
		cfg.Dir = "data"
	}
	if cfg.Shards == 0 {
		cfg.Shards = cfg.Instances
		for _, service := range stack.Services() {
			cfg.Shards = max(cfg.Shards, stack.ShardsIn(cfg.Dir, service))
		}
	}

	// A signal during the start kills everything. A later signal stops the system gracefully.
	starting, kill := context.WithCancel(context.Background())
	defer kill()
	detach := context.AfterFunc(ctx, kill)
	s, err := stack.Start(starting, cfg)
	if ctx.Err() != nil {
		out.printf("stopped while starting")
		return nil
	}
	if err != nil {
		return explain(err)
	}
	detach()

	var restarts sync.WaitGroup
	restarts.Go(func() {
		for {
			select {
			case e := <-exits:
				out.printf("%s exited: %v; its log ends with:\n%s", e.name, e.err, indent(s.Tail(e.name, 5)))
				restarts.Go(func() { restart(ctx, s, e.name, out) })
			case <-ctx.Done():
				return
			}
		}
	})
	stop := func() error {
		restarts.Wait()
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
	}
	<-ctx.Done()
	return stop()
}

// restart starts a component that has exited. It retries with exponential backoff until the component responds.
func restart(ctx context.Context, s *stack.Stack, name string, out *lines) {
	for backoff := minBackoff; ; backoff = min(2*backoff, maxBackoff) {
		select {
		case <-time.After(backoff):
		case <-ctx.Done():
			return
		}
		err := s.Start(ctx, name)
		if err == nil {
			out.printf("restarted %s", name)
			return
		}
		if ctx.Err() != nil {
			return
		}
		out.printf("restart %s: %v", name, err)
	}
}

// explain adds advice to an error about ports in use.
func explain(err error) error {
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
	for _, service := range stack.Services() {
		fmt.Fprintf(&b, "  %-8s internal ports %s  Redis %s\n", service,
			strings.Join(s.InternalURLs(service), " "), strings.Join(s.RedisAddrs(service), " "))
	}
	fmt.Fprintf(&b, "  %-8s %s, logs in %s/logs\n", "data", s.Dir(), s.Dir())
	curl := ""
	if _, err := exec.LookPath("curl"); err != nil {
		curl = " (apt-get install curl)"
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

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

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
