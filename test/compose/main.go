// Command compose proves that `docker compose up --build` gives the whole system: `make test-compose`.
//
// It builds the images, starts the system from nothing three times, runs the Python suite and the consistency run against it, looks
// at how the containers run, kills each process with SIGKILL, alone, together and while callers buy, loses all data and restores a
// backup, stops everything gracefully and starts it again on the same data. It works under a project name, a port and addresses of
// its own, and removes all of it at the end, after a failure too. PYTHON is the Python to use (/usr/bin/python3), with requests
// and aiohttp.
//
// With MACHINES=n, and SHARDS=m if that is another number, it then grows the system, in use, by compose/scale, and does the same.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"time"
)

const (
	firstUps      = 3
	upWithin      = 2 * time.Minute  // from nothing, with images that are built
	returnsWithin = 30 * time.Second // after a kill: the engine's own pause before a restart grows with each one
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := test(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "test-compose:", err)
		os.Exit(1)
	}
}

// run is one run of the test.
type run struct {
	project *project
	shop    *shop
	python  string
	dir     string // for files of the run
	stdout  io.Writer
	bought  []purchase // since the data was new
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.stdout, format+"\n", args...) }

func test(ctx context.Context, getenv func(string) string, stdout io.Writer) (err error) {
	python := getenv("PYTHON")
	if python == "" {
		python = "/usr/bin/python3" // as in the Makefile: where the system's packages of requests and aiohttp are
	}
	if err := missing(ctx, python); err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	machines, shards, err := size(getenv)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "test-compose-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	r := &run{
		project: &project{name: "checkout-test", port: port, network: "10.213.48", machines: 1, shards: 1, files: []string{"docker-compose.yml"}},
		shop:    newShop(port), python: python, dir: dir, stdout: stdout,
	}
	defer func() {
		err = errors.Join(err, r.project.remove(context.Background()))
	}()
	first := []step{
		{"docker-compose.yml is valid", r.config, true},
		{"build the images", r.build, true},
		{"start from nothing, three times", r.firstUps, true},
	}
	if machines > 1 || shards > 1 {
		grown := fmt.Sprintf("grow to %d machines and %d Redis of each service", machines, shards)
		first = append(first, step{grown, r.grow(machines, shards), true})
	}
	return r.steps(ctx, append(first, []step{
		{"the Python suite", r.script("-m", "unittest", "-q", "test_microservices"), false},
		{"the consistency run", r.script("consistency.py"), false},
		{"how the containers run", r.checkContainers, false},
		{"every part works", r.everyPartWorks, false},
		{"SIGKILL, and return", r.kills, false},
		{"SIGKILL while callers buy", r.killsUnderLoad, false},
		{"a service made anew", r.recreate, false},
		{"back up, lose everything, restore", r.backup, false},
		{"stop gracefully, start again on the same data", r.restart, false},
	}...))
}

// size reads how many machines and Redis of each service there are to be.
func size(getenv func(string) string) (machines, shards int, err error) {
	number := func(key string, otherwise int) (n int) {
		n = otherwise
		if text := getenv(key); text != "" {
			var wrong error
			if n, wrong = strconv.Atoi(text); wrong != nil || n < 1 || n > 9 {
				err = errors.Join(err, fmt.Errorf("%s=%s: must be a number from 1 to 9", key, text))
			}
		}
		return n
	}
	machines = number("MACHINES", 1)
	shards = number("SHARDS", machines)
	return machines, shards, err
}

// step is a part of the test; without one that is needed the others mean nothing.
type step struct {
	name   string
	do     func(context.Context) error
	needed bool
}

func (r *run) steps(ctx context.Context, steps []step) error {
	var errs []error
	start := time.Now()
	for _, s := range steps {
		begun := time.Now()
		r.say("%s", s.name)
		if err := s.do(ctx); err != nil {
			logs, _ := r.project.compose(context.WithoutCancel(ctx), "logs", "--no-color", "--tail", "50")
			r.say("%s\n  FAILED after %.1f s", logs, time.Since(begun).Seconds())
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			if s.needed || ctx.Err() != nil {
				break
			}
			continue
		}
		r.say("  ok, %.1f s", time.Since(begun).Seconds())
	}
	r.say("%d of %d steps failed, %.0f s", len(errs), len(steps), time.Since(start).Seconds())
	return errors.Join(errs...)
}

// missing tells what this machine lacks, all of it together.
func missing(ctx context.Context, python string) error {
	var errs []error
	for what, command := range map[string][]string{
		"Docker Compose":                     {"docker", "compose", "version"},
		"a Docker engine that runs":          {"docker", "version"},
		"Python's modules requests, aiohttp": {python, "-c", "import requests, aiohttp"},
	} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("missing: %s: %s: %w: %s", what, command, err, last(string(out), 1)))
		}
	}
	return errors.Join(errs...)
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
