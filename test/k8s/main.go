// Command k8s proves on a cluster what k8s/README.md says: `make test-k8s`.
//
// It holds every manifest against the cluster, installs the system with one and with two shards, runs the Python suite and the
// consistency run against it, and then, while customers buy: kills a machine and a Redis with SIGKILL, takes a Redis pod away, updates
// everything, drains the nodes up to the disruption budgets, and grows the system. At the end nothing is left of it. It works in
// namespaces of its own; it cordons every node for some seconds, so that it wants a cluster that nobody else uses.
//
//	KUBECTL, HELM   the commands (kubectl, helm)
//	LOAD            brings images that docker build has made to the cluster, e.g. "minikube image load"; called with all names
//	IMAGE_PREFIX    what their names begin with (checkout-)
//	INSIDE          a command that runs another one inside the cluster's network, for the Python suites; without it they use GATEWAY_URL
//	GATEWAY_URL     the gateway as this machine reaches it; without it the first node's address and the port there
//	CONFORM         a command that checks manifests on its standard input, e.g. "kubeconform -strict -"
//	VALUES          --set of every installation, for a small cluster: machine.cpu=50m,redis.cpu=50m,gateway.cpu=50m
//	PYTHON          Python with requests and aiohttp (/usr/bin/python3)
//	FROM            part of the name of the first step to run, on what an earlier run has left
//	SKIP            part of the names of steps to leave out
//	KEEP            1: leave the system there
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := test(ctx, os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "test-k8s:", err)
		os.Exit(1)
	}
}

// run is one run of the test.
type run struct {
	*cluster
	python  []string // a command
	inside  []string // before it
	url     string   // of the gateway, if given
	load    []string
	conform []string
	prefix  string
	values  string
	from    string
	skip    string
	stdout  io.Writer
}

func (r *run) say(format string, args ...any) { fmt.Fprintf(r.stdout, "  "+format+"\n", args...) }

func test(ctx context.Context, getenv func(string) string, stdout io.Writer) (err error) {
	words := func(name, otherwise string) []string {
		if value := getenv(name); value != "" {
			return strings.Fields(value)
		}
		return strings.Fields(otherwise)
	}
	r := &run{
		cluster: &cluster{kubectl: words("KUBECTL", "kubectl"), helm: words("HELM", "helm"), namespace: "checkout-test"},
		python:  words("PYTHON", "/usr/bin/python3"), inside: words("INSIDE", ""), url: getenv("GATEWAY_URL"), load: words("LOAD", ""),
		conform: words("CONFORM", ""), prefix: strings.Join(words("IMAGE_PREFIX", "checkout-"), ""), values: getenv("VALUES"), from: getenv("FROM"), skip: getenv("SKIP"), stdout: stdout,
	}
	version, err := r.kube(ctx, "version", "-o", "json")
	if err != nil {
		return err
	}
	server, _ := between(after(version, "serverVersion"), `"gitVersion": "`, `"`)
	fmt.Fprintf(stdout, "Kubernetes %s, %s\n", server, time.Now().Format(time.DateOnly))
	if getenv("KEEP") != "1" {
		defer func() { err = errors.Join(err, r.clean(context.WithoutCancel(ctx))) }()
	}
	return r.steps(ctx, []step{
		{"the images", r.images, true},
		{"every manifest, as the cluster sees it", r.manifests, false},
		{"wrong values are refused", r.refused, false},
		{"plain manifests: apply, buy, delete", r.plain, false},
		{"install with one shard", r.installOne, true},
		{"the Python suite, one shard", r.suite, false},
		{"uninstall leaves the volumes, install finds them", r.reinstall, false},
		{"install with two shards", r.installTwo, true},
		{"the Python suite, two shards", r.suite, false},
		{"SIGKILL of each service's machine under load", r.killMachines, false},
		{"SIGKILL of a Redis under load", r.killRedis, false},
		{"a Redis pod taken away under load", r.deleteRedis, false},
		{"an update of everything under load", r.update, false},
		{"a drain up to the budgets under load", r.drain, false},
		{"from 2 to 3 shards and machines under load", r.grow, false},
		{"shards never shrink", r.shrink, false},
		{"the Python suite, three shards", r.suite, false},
		{"uninstall", r.uninstall, false},
	})
}

// step is a part of the test; without one that is needed the others mean nothing.
type step struct {
	name   string
	do     func(context.Context) error
	needed bool
}

func (r *run) steps(ctx context.Context, steps []step) error {
	var errs []error
	start, done := time.Now(), 0
	for _, s := range steps {
		if done == 0 && !strings.Contains(s.name, r.from) || r.skip != "" && strings.Contains(s.name, r.skip) {
			continue
		}
		begun := time.Now()
		fmt.Fprintln(r.stdout, s.name)
		done++
		if err := s.do(ctx); err != nil {
			fmt.Fprintf(r.stdout, "%s\n  FAILED after %.1f s: %v\n", r.state(context.WithoutCancel(ctx)), time.Since(begun).Seconds(), err)
			errs = append(errs, fmt.Errorf("%s: %w", s.name, err))
			if s.needed || ctx.Err() != nil {
				break
			}
			continue
		}
		fmt.Fprintf(r.stdout, "  ok, %.1f s\n", time.Since(begun).Seconds())
	}
	fmt.Fprintf(r.stdout, "%d of %d steps failed, %.0f s\n", len(errs), done, time.Since(start).Seconds())
	return errors.Join(errs...)
}

// after returns what follows the first mark; all of it where there is none.
func after(text, mark string) string {
	if _, rest, found := strings.Cut(text, mark); found {
		return rest
	}
	return text
}

func between(text, begin, end string) (string, bool) {
	_, rest, found := strings.Cut(text, begin)
	inner, _, closed := strings.Cut(rest, end)
	return inner, found && closed
}
