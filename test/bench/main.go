package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, newLive(os.Stderr))
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// errWrong says that the measurement ended, and that what it measured is wrong.
var errWrong = errors.New("not every request was answered with 200, or something does not add up: see the report")

// run measures what args ask for, and writes the report to stdout.
func run(ctx context.Context, args []string, stdout io.Writer, live *live) (err error) {
	o, err := parseOptions(args, live)
	if err != nil {
		return err
	}
	if o.profileDir != "" {
		if err := os.MkdirAll(o.profileDir, 0o755); err != nil {
			return err
		}
	}
	if o.suite {
		return runSuite(ctx, o, stdout, live)
	}
	var sys *system
	if o.gateway != "" {
		sys, err = findSystem(o.gateway)
	} else {
		sys, err = startSystem(ctx, o.machines, o.shards, o.dir, live)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sys.close()) }()
	r, err := measureAll(ctx, sys, o, live)
	if err != nil {
		return err
	}
	text := r.markdown()
	fmt.Fprint(stdout, text)
	if o.report != "" {
		if err := os.WriteFile(o.report, []byte(text), 0o644); err != nil {
			return err
		}
	}
	if !r.ok() {
		return errWrong
	}
	return nil
}

// runSuite measures everything, writes the report, and compares if it is asked to.
func runSuite(ctx context.Context, o options, stdout io.Writer, live *live) error {
	s, err := measureSuite(ctx, o, live)
	if err != nil {
		return err
	}
	text := s.markdown()
	fmt.Fprint(stdout, text)
	if o.report != "" {
		err := errors.Join(os.MkdirAll(o.report, 0o755), os.WriteFile(filepath.Join(o.report, "REPORT.md"), []byte(text), 0o644), s.write(o.report))
		if err != nil {
			return err
		}
	}
	if !s.ok() {
		return errWrong
	}
	if o.readme != "" {
		if err := s.headline(o.readme); err != nil {
			return err
		}
	}
	if o.against != "" {
		return s.figures().check(o.against, live)
	}
	return nil
}

// measureAll measures the floors, and then every point.
func measureAll(ctx context.Context, sys *system, o options, live *live) (*report, error) {
	r := &report{command: o.command(), date: time.Now(), fixed: describe(ctx, sys)}
	if sys.stack != nil {
		live.say("measuring fsync and scripts")
		f, err := measureFloors(ctx, sys.stack.Dir(), sys.stack.RedisAddrs("order")[0])
		if err != nil {
			return nil, err
		}
		r.floors = &f
	}
	live.say("preparing %d users and %d items", o.users, o.stock)
	fix, err := newFixture(ctx, sys.gateway, o.ids, o.users, o.stock, o.lines)
	if err != nil {
		return nil, err
	}
	defer fix.close()
	b := &bench{sys: sys, fix: fix, live: live}
	for i, clients := range o.clients {
		at, err := b.measure(ctx, plan{clients, o.counts[i], o.slices, o.profileDir})
		if err != nil {
			return nil, fmt.Errorf("%d clients: %w", clients, err)
		}
		r.points = append(r.points, at)
	}
	return r, nil
}
