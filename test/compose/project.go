package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"checkout/test/check"
	"checkout/test/steps"
)

// project is the system in docker-compose.yml, with a separate name, port and network, so that it can run next to other
// projects.
type project struct {
	name      string
	port      int      // of the gateway
	network   string   // first three numbers of every address
	instances int      // of each service
	shards    int      // of each service
	replicas  int      // nodes of each shard: 1, or copies if replicated
	files     []string // compose files
}

func (p *project) gatewayURL() string { return fmt.Sprintf("http://127.0.0.1:%d", p.port) }

// allInstances returns the names of all instances.
func (p *project) allInstances() (names []string) {
	for _, service := range services {
		names = append(names, p.containersOf(service, p.instances)...)
	}
	return names
}

// allRedis returns the names of all Redis servers.
func (p *project) allRedis() (names []string) {
	for _, service := range services {
		for _, shard := range p.containersOf(service+"-redis", p.shards) {
			names = append(names, nodes(shard)[:p.replicas]...)
		}
	}
	return names
}

// allKeepers returns the names of the keepers of replicated shards.
func (p *project) allKeepers() (names []string) {
	if p.replicas > 1 {
		for _, node := range p.allRedis() {
			names = append(names, keeperOf(node))
		}
	}
	return names
}

// all returns the names of all containers.
func (p *project) all() []string {
	return slices.Concat(p.allInstances(), p.allRedis(), p.allKeepers(), []string{gateway})
}

// containersOf returns the names of n containers of one kind.
func (p *project) containersOf(kind string, n int) (names []string) {
	for i := range n {
		names = append(names, nth(kind, i+1))
	}
	return names
}

// nth returns the name of container i of a kind: order, order-2, order-3 and so on.
func nth(kind string, i int) string {
	if i == 1 {
		return kind
	}
	return fmt.Sprintf("%s-%d", kind, i)
}

// openShards connects to every shard, at the address of a container: the shard's only Redis, or its primary.
func (p *project) openShards(ctx context.Context) (check.Shards, error) {
	all, err := p.inspect(ctx)
	if err != nil {
		return nil, err
	}
	shards := check.Shards{}
	for _, service := range services {
		for _, name := range p.containersOf(service+"-redis", p.shards) {
			if p.replicas > 1 {
				if name, err = p.primary(ctx, name); err != nil {
					shards.Close()
					return nil, err
				}
			}
			shards.Add(service, p.redisAddr(all[name]), "")
		}
	}
	if err := check.Poll(ctx, recoveryTimeout, shards.Ping); err != nil {
		shards.Close()
		return nil, fmt.Errorf("connect to Redis at the containers' addresses: %w", err)
	}
	return shards, nil
}

// compose runs docker compose and returns its standard output.
func (p *project) compose(ctx context.Context, args ...string) (string, error) {
	return p.composeWith(ctx, "", args...)
}

// composeWith runs docker compose like compose, but with a password for every Redis.
func (p *project) composeWith(ctx context.Context, password string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "docker", append([]string{"compose"}, args...)...)
	cmd.Env = append(p.env(), "REDIS_PASSWORD="+password)
	return steps.Output(cmd)
}

// rendered returns a compose file with all profiles, as docker compose interprets it. It omits extensions (x-…),
// because they have no effect.
func (p *project) rendered(ctx context.Context, file string) (system map[string]any, err error) {
	text, err := p.compose(ctx, "--profile", "*", "-f", file, "config", "--format", "json")
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal([]byte(text), &system); err != nil {
		return nil, fmt.Errorf("parse %s as rendered by docker compose: %w", file, err)
	}
	maps.DeleteFunc(system, func(key string, _ any) bool { return strings.HasPrefix(key, "x-") })
	return system, nil
}

// env returns the environment variables that make docker compose use this project.
func (p *project) env() []string {
	return append(os.Environ(),
		"COMPOSE_PROJECT_NAME="+p.name, "COMPOSE_FILE="+strings.Join(p.files, ":"), "COMPOSE_ENV_FILES="+os.DevNull,
		"COMPOSE_ANSI=never", "COMPOSE_PROFILES=",
		"GATEWAY_BIND=127.0.0.1", fmt.Sprintf("GATEWAY_PORT=%d", p.port), "NETWORK="+p.network,
		"REPLICAS="+strconv.Itoa(p.replicas), "KEEPER_TOKEN=a-secret-of-this-test",
		"REDIS_PASSWORD=", "BATCH_INIT=1", "WDM_DEBUG=0", "ACCESS_LOG=1", "IMAGE_PREFIX="+p.name+"-", "IMAGE_TAG=test")
}

// script runs one of the scripts in compose/ for this project.
func (p *project) script(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, filepath.Join("compose", name), args...)
	cmd.Env = p.env()
	_, err := steps.Output(cmd)
	return err
}

// docker runs docker and returns its standard output.
func docker(ctx context.Context, args ...string) (string, error) {
	return steps.Output(exec.CommandContext(ctx, "docker", args...))
}

// container is the part of `docker inspect` that the test reads.
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
	Mounts []struct {
		Type, Name, Destination string
		RW                      bool
	}
	NetworkSettings struct {
		Ports    map[string][]struct{ HostIP, HostPort string }
		Networks map[string]struct{ IPAddress string }
	}
}

// image returns the name of an image that is built for this project.
func (p *project) image(name string) string { return p.name + "-" + name + ":test" }

func (c container) service() string { return c.Config.Labels["com.docker.compose.service"] }

func (c container) healthy() bool {
	return c.State.Running && c.State.Health != nil && c.State.Health.Status == "healthy"
}

// initialized reports whether the container has run `keeper init` and exited with status 0. Then its replicated shard
// is ready for use.
func (c container) initialized() bool {
	return strings.Contains(c.service(), "-init") && !c.State.Running && c.State.ExitCode == 0
}

// inspect returns the project's containers, including stopped containers, by service name.
func (p *project) inspect(ctx context.Context) (map[string]container, error) {
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
		return nil, fmt.Errorf("parse output of docker inspect: %w", err)
	}
	byService := map[string]container{}
	for _, c := range list {
		byService[c.service()] = c
	}
	return byService, nil
}

// kill sends SIGKILL to the main process of each named service at the same time. The method does not use `docker kill`,
// because Docker does not restart a container that a user killed. The signal comes from a container in the host's
// process namespace, so the test does not need root on the host.
func (p *project) kill(ctx context.Context, services ...string) error {
	all, err := p.inspect(ctx)
	if err != nil {
		return err
	}
	command := "kill -9"
	for _, service := range services {
		pid := all[service].State.Pid
		if pid <= 1 {
			return fmt.Errorf("kill %s: no running process", service)
		}
		command += " " + strconv.Itoa(pid)
	}
	_, err = docker(ctx, "run", "--rm", "--pid", "host", "--userns", "host", "--network", "none", "--user", "0",
		"--cap-drop", "ALL", "--cap-add", "KILL", "--entrypoint", "sh", all["order-redis"].Config.Image, "-c", command)
	return err
}

// waitHealthy waits until every container is healthy.
func (p *project) waitHealthy(ctx context.Context) error {
	return check.Poll(ctx, recoveryTimeout, func(ctx context.Context) error {
		all, err := p.inspect(ctx)
		if err != nil {
			return err
		}
		for _, service := range slices.Sorted(maps.Keys(all)) {
			if !all[service].healthy() && !all[service].initialized() {
				return fmt.Errorf("container %s is not healthy", service)
			}
		}
		return nil
	})
}

// version returns the versions of the Docker engine and Compose.
func (p *project) version(ctx context.Context) string {
	engine, _ := docker(ctx, "version", "-f", "Docker {{.Server.Version}}, {{.Server.Os}} {{.Server.Arch}}")
	compose, _ := docker(ctx, "compose", "version", "--short")
	return engine + ", Compose " + compose
}

// logs returns the last lines of the log of every container.
func (p *project) logs(ctx context.Context) string {
	logs, _ := p.compose(ctx, "logs", "--no-color", "--tail", "50")
	return logs
}

// remove removes the project's containers, data, networks and images.
func (p *project) remove(ctx context.Context) error {
	if _, err := p.compose(ctx, "down", "--volumes", "--remove-orphans"); err != nil {
		return err
	}
	for _, image := range images {
		_, _ = docker(ctx, "image", "rm", p.image(image)) // the loop below reports images that remain
	}
	label := "label=com.docker.compose.project=" + p.name
	// Remove images that a later build replaced.
	if _, err := docker(ctx, "image", "prune", "--force", "--filter", label); err != nil {
		return err
	}
	for _, list := range [][]string{{"ps", "-aq"}, {"volume", "ls", "-q"}, {"network", "ls", "-q"},
		{"image", "ls", "-q"}} {
		left, err := docker(ctx, append(list, "--filter", label)...)
		if err == nil && left != "" {
			err = fmt.Errorf("remove the project: docker %s still lists %s", strings.Join(list, " "), strings.Fields(left))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
