package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// project is the system of docker-compose.yml under a name, port and addresses of its own, so that one that already runs here
// is not touched.
type project struct {
	name     string
	port     int      // of the gateway
	network  string   // first three numbers of every address
	machines int      // of each service
	shards   int      // of each service
	files    []string // compose files
}

// machinesOf names the containers of one service.
func (p *project) machinesOf(service string) []string { return nth(service, p.machines) }

// shardsOf names the containers of one service's Redis, in shard order.
func (p *project) shardsOf(service string) []string { return nth(service+"-redis", p.shards) }

func (p *project) allMachines() []string { return flatMap(services, p.machinesOf) }
func (p *project) allShards() []string   { return flatMap(services, p.shardsOf) }
func (p *project) everyone() []string {
	return slices.Concat(p.allMachines(), p.allShards(), []string{gateway})
}

// nth returns name, name-2, name-3 and so on.
func nth(name string, n int) []string {
	names := []string{name}
	for i := 2; i <= n; i++ {
		names = append(names, fmt.Sprintf("%s-%d", name, i))
	}
	return names
}

func flatMap(names []string, f func(string) []string) (all []string) {
	for _, name := range names {
		all = append(all, f(name)...)
	}
	return all
}

// compose runs docker compose and returns what it printed.
func (p *project) compose(ctx context.Context, args ...string) (string, error) {
	return p.composeWith(ctx, "", args...)
}

// composeWith is compose with a password for every Redis.
func (p *project) composeWith(ctx context.Context, password string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"compose"}, args...)...)
	cmd.Env = append(p.env(), "REDIS_PASSWORD="+password)
	return output(cmd)
}

// env is the environment in which docker compose, called by whomever, means this project.
func (p *project) env() []string {
	return append(os.Environ(), "COMPOSE_PROJECT_NAME="+p.name, "COMPOSE_FILE="+strings.Join(p.files, ":"), "COMPOSE_ENV_FILES="+os.DevNull,
		"COMPOSE_ANSI=never", "COMPOSE_PROFILES=", "GATEWAY_BIND=127.0.0.1", fmt.Sprintf("GATEWAY_PORT=%d", p.port), "NETWORK="+p.network,
		"REDIS_PASSWORD=", "BATCH_INIT=1", "WDM_DEBUG=0", "ACCESS_LOG=1", "IMAGE_PREFIX="+p.name+"-", "IMAGE_TAG=test")
}

// script runs one of the scripts in compose/ for this project.
func (p *project) script(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("compose", name), args...)
	cmd.Env = p.env()
	_, err := output(cmd)
	return err
}

// docker runs docker and returns what it printed.
func docker(ctx context.Context, args ...string) (string, error) {
	return output(exec.CommandContext(ctx, "docker", args...))
}

// output runs a command that is asked to stop, not killed, when its context ends.
func output(cmd *exec.Cmd) (string, error) {
	var stdout, both bytes.Buffer
	cmd.Stdout, cmd.Stderr = tee{&stdout, &both}, &both
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, last(both.String(), 40))
	}
	return strings.TrimSpace(stdout.String()), nil
}

type tee struct{ a, b *bytes.Buffer }

func (t tee) Write(p []byte) (int, error) {
	t.a.Write(p)
	return t.b.Write(p)
}

// last returns the last n lines of text.
func last(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// container is what docker inspect tells, as far as it is looked at here.
type container struct {
	ID           string
	Image        string
	RestartCount int
	State        struct {
		Running   bool
		Pid       int
		ExitCode  int
		StartedAt string
		Health    *struct{ Status string }
	}
	Config struct {
		User   string
		Labels map[string]string
		Image  string
	}
	HostConfig struct {
		ReadonlyRootfs, Privileged   bool
		CapDrop, CapAdd, SecurityOpt []string
		Memory                       int64 // bytes
		PidsLimit                    int64
		RestartPolicy                struct{ Name string }
	}
	Mounts          []struct{ Type, Name, Destination string }
	NetworkSettings struct {
		Ports    map[string][]struct{ HostIP, HostPort string }
		Networks map[string]struct{ IPAddress string }
	}
}

// image is the name of an image that is built for this project.
func (p *project) image(name string) string { return p.name + "-" + name + ":test" }

func (c container) service() string { return c.Config.Labels["com.docker.compose.service"] }

func (c container) healthy() bool {
	return c.State.Running && c.State.Health != nil && c.State.Health.Status == "healthy"
}

// containers returns the project's containers, stopped ones too, by the name of their service.
func (p *project) containers(ctx context.Context) (map[string]container, error) {
	ids, err := p.compose(ctx, "ps", "-a", "-q")
	if err != nil || ids == "" {
		return nil, err
	}
	text, err := docker(ctx, append([]string{"inspect"}, strings.Fields(ids)...)...)
	if err != nil {
		return nil, err
	}
	var list []container
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("docker inspect: %w", err)
	}
	found := map[string]container{}
	for _, c := range list {
		found[c.service()] = c
	}
	return found, nil
}

// kill ends the first process of each named service with SIGKILL, all at the same moment. docker kill would not do: Docker takes a container
// that it was told to kill for stopped, and does not start it again. The signal comes from a container that sees the engine's
// processes, so that neither root nor the engine's own machine is needed.
func (p *project) kill(ctx context.Context, services ...string) error {
	all, err := p.containers(ctx)
	if err != nil {
		return err
	}
	command := "kill -9"
	for _, service := range services {
		pid := all[service].State.Pid
		if pid <= 1 {
			return fmt.Errorf("%s has no process to kill", service)
		}
		command += " " + strconv.Itoa(pid)
	}
	_, err = docker(ctx, "run", "--rm", "--pid", "host", "--userns", "host", "--network", "none", "--user", "0", "--cap-drop", "ALL", "--cap-add", "KILL",
		"--entrypoint", "sh", all["order-redis"].Config.Image, "-c", command)
	return err
}

// waitHealthy waits until every container says that it is healthy.
func (p *project) waitHealthy(ctx context.Context) error {
	return poll(ctx, 30*time.Second, func() error {
		all, err := p.containers(ctx)
		if err != nil {
			return err
		}
		for _, service := range slices.Sorted(maps.Keys(all)) {
			if !all[service].healthy() {
				return fmt.Errorf("%s is not healthy", service)
			}
		}
		return nil
	})
}

// final marks an error that does not pass by waiting.
type final struct{ error }

func (f final) Unwrap() error { return f.error }

// poll calls try until it succeeds; it fails when the time is over, and at once with a final error.
func poll(ctx context.Context, within time.Duration, try func() error) error {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		err := try()
		if err == nil || errors.As(err, new(final)) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("after %v still: %w", within, err)
		case <-tick.C:
		}
	}
}

// remove takes away everything of the project: containers, data, networks and the images that were built for it.
func (p *project) remove(ctx context.Context) error {
	if _, err := p.compose(ctx, "down", "--volumes", "--remove-orphans"); err != nil {
		return err
	}
	for _, image := range images {
		_, _ = docker(ctx, "image", "rm", p.image(image)) // what is left is found below
	}
	label := "label=com.docker.compose.project=" + p.name
	if _, err := docker(ctx, "image", "prune", "--force", "--filter", label); err != nil { // those that a later build replaced
		return err
	}
	for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"}, {"image", "ls", "-q"}} {
		left, err := docker(ctx, append(list, "--filter", label)...)
		if err == nil && left != "" {
			err = fmt.Errorf("docker %s: left behind: %s", strings.Join(list, " "), strings.Fields(left))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
