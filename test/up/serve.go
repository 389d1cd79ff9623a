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
	firstPause = time.Second // before a part that died is started again; doubled after each failure
	longPause  = 30 * time.Second
)

// exit is a part that ended by itself.
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

	// While it starts, a signal kills what is there; later it stops gracefully.
	starting, kill := context.WithCancel(context.Background())
	defer kill()
	leave := context.AfterFunc(ctx, kill)
	s, err := stack.Start(starting, cfg)
	if ctx.Err() != nil {
		out.say("stopped while starting")
		return nil
	}
	if err != nil {
		return explain(err)
	}
	leave()

	var revivals sync.WaitGroup
	revivals.Go(func() {
		for {
			select {
			case e := <-exits:
				out.say("%s died: %v; its log ends with:\n%s", e.name, e.err, indent(s.Tail(e.name, 5)))
				revivals.Go(func() { revive(ctx, s, e.name, out) })
			case <-ctx.Done():
				return
			}
		}
	})
	stop := func() error {
		revivals.Wait()
		out.say("stopping; Ctrl-C again kills")
		err := s.Shutdown(context.Background())
		if err == nil {
			out.say("stopped; the data is in %s", s.Dir())
		}
		return err
	}

	out.say("waiting until the system answers")
	ready, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	if err := s.WaitReady(ready); err != nil && ctx.Err() == nil {
		kill()
		return errors.Join(err, s.Close())
	}
	if ctx.Err() == nil {
		out.say("%s", welcome(s, cfg))
	}
	<-ctx.Done()
	return stop()
}

// revive starts a part that died, again and again until it answers.
func revive(ctx context.Context, s *stack.Stack, name string, out *lines) {
	for pause := firstPause; ; pause = min(2*pause, longPause) {
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return
		}
		err := s.Start(ctx, name)
		if err == nil {
			out.say("%s runs again", name)
			return
		}
		if ctx.Err() != nil {
			return
		}
		out.say("%s does not start again: %v", name, err)
	}
}

// explain adds to an error what a person can do about it.
func explain(err error) error {
	var taken *stack.TakenError
	if errors.As(err, &taken) {
		return fmt.Errorf("%w\nNothing was started. Stop what is in the way; for the gateway, GATEWAY_PORT=8001 takes another port", err)
	}
	return err
}

func welcome(s *stack.Stack, cfg stack.Config) string {
	gateway := strings.Replace(s.Gateway(), "127.0.0.1", "localhost", 1)
	var b strings.Builder
	fmt.Fprintf(&b, "\nThe system answers at %s/orders/, /stock/ and /payment/.\n\n", gateway)
	for _, service := range stack.Services() {
		fmt.Fprintf(&b, "  %-8s internal doors %s  Redis %s\n", service,
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
		b.WriteString("More of it, on the same data: MACHINES=2 make up. ")
	}
	b.WriteString("Ctrl-C stops everything.")
	return b.String()
}

func indent(text string) string { return "    " + strings.ReplaceAll(text, "\n", "\n    ") }

// lines writes whole lines, from several goroutines.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}

func (l *lines) say(format string, args ...any) { fmt.Fprintf(l, format+"\n", args...) }
