// Command test-compose checks that `docker compose up --build` starts the whole system. Run it with `make
// test-compose`.
//
// test-compose builds the images. Three times, it deletes all data and starts the system. It runs the Python suite and
// the consistency run, and inspects the containers. It kills the processes with SIGKILL: one at a time, in groups, and
// some under load. It deletes all data and restores a backup. It stops the system gracefully, and starts the system
// again with the same data. Finally it gives each shard three nodes, loses nodes and their disks, and repeats the
// backup and the restart.
//
// test-compose uses a separate project name, port and network, and removes everything at the end, even after a failure.
// It connects to Redis at the containers' addresses, so the Docker engine must run on this computer.
//
//	MACHINES  instances of each service (default 1); the test starts with 1, and compose/scale adds the others under load
//	SHARDS    Redis shards of each service (default: MACHINES)
//	PYTHON    Python with requests and aiohttp (default /usr/bin/python3)
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"time"

	"checkout/common/freeport"
	"checkout/test/shop"
	"checkout/test/steps"
)

const (
	firstUps        = 3
	upTimeout       = 2 * time.Minute  // for each start without data, with images that are already built
	recoveryTimeout = 30 * time.Second // after a kill; Docker increases the delay before each restart
)

func main() { steps.Main("test-compose", test) }

// run is a run of the test.
type run struct {
	*steps.Runner
	project *project
	shop    *shop.Shop
	python  []string
	dir     string // folder for temporary files
}

func test(ctx context.Context, out io.Writer) (err error) {
	python := cmp.Or(os.Getenv("PYTHON"), "/usr/bin/python3")
	if err := checkTools(ctx, python); err != nil {
		return err
	}
	instances, err := number("MACHINES", 1)
	if err != nil {
		return err
	}
	shards, err := number("SHARDS", instances)
	if err != nil {
		return err
	}
	port, err := freeport.Reserve()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "test-compose-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	p := &project{
		name: "checkout-test", port: port.Number, network: "10.213.48",
		instances: 1, shards: 1, replicas: 1, files: []string{"docker-compose.yml"},
	}
	defer func() { err = errors.Join(err, p.remove(context.Background())) }()
	fmt.Fprintf(out, "%s, MACHINES=%d SHARDS=%d\n", p.version(ctx), instances, shards)
	r := &run{Runner: &steps.Runner{Out: out, State: p.logs}, project: p, python: []string{python}, dir: dir}
	list := []steps.Step{
		{Name: "docker-compose.yml is valid", Run: r.config, Required: true},
		{Name: "compose.demo.yml differs only in the builds", Run: r.demo, Required: true},
		{Name: "build the images", Run: r.build, Required: true},
		{Name: "start without data, three times", Run: r.firstUps, Required: true},
	}
	if instances > 1 || shards > 1 {
		name := fmt.Sprintf("grow to %d instances and %d shards of each service", instances, shards)
		list = append(list, steps.Step{Name: name, Run: r.grow(instances, shards), Required: true})
	}
	return r.Run(ctx, append(list, []steps.Step{
		{Name: "the Python suite", Run: r.script("-m", "unittest", "-q", "test_microservices")},
		{Name: "the consistency run", Run: r.script("consistency.py")},
		{Name: "inspect the containers", Run: r.checkContainers},
		{Name: "every instance and every shard is used", Run: r.everyPartWorks},
		{Name: "recover from SIGKILL", Run: r.kills},
		{Name: "recover from SIGKILL under load", Run: r.killsUnderLoad},
		{Name: "replace each instance's container", Run: r.recreate},
		{Name: "back up, delete all data, restore", Run: r.backup},
		{Name: "stop gracefully, start again with the same data", Run: r.restart},
		{Name: "give each shard three nodes", Run: r.replicate, Required: true},
		{Name: "lose a node of each service, and its disk", Run: r.lostNodes},
		{Name: "back up, delete all data, restore three nodes of each shard", Run: r.backup},
		{Name: "stop three nodes of each shard, start again with the same data", Run: r.restart},
	}...))
}

// number reads a number from 1 to 9 from an environment variable. If the variable is not set, it returns the
// fallback.
func number(key string, fallback int) (int, error) {
	text := os.Getenv(key)
	if text == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > 9 {
		return 0, fmt.Errorf("parse %s=%s: want a number from 1 to 9", key, text)
	}
	return n, nil
}

// checkTools returns an error that names each required program that does not work.
func checkTools(ctx context.Context, python string) error {
	var errs []error
	for what, command := range map[string][]string{
		"Docker Compose":                     {"docker", "compose", "version"},
		"a running Docker engine":            {"docker", "version"},
		"Python's modules requests, aiohttp": {python, "-c", "import requests, aiohttp"},
	} {
		if _, err := steps.Output(exec.CommandContext(ctx, command[0], command[1:]...)); err != nil {
			errs = append(errs, fmt.Errorf("find %s: %w", what, err))
		}
	}
	return errors.Join(errs...)
}
