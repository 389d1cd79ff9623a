package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

var (
	services = []string{"order", "stock", "payment"}
	gateway  = "gateway"
	images   = slices.Concat(services, []string{gateway})
)

// The size in bytes that no service's image may reach: a static binary and certificates.
const (
	maxImage     = 20e6
	certificates = 500e3 // more than they take
)

// checkImages prints the images' sizes and refuses one that holds more than it should.
func (r *run) checkImages(ctx context.Context) error {
	for _, service := range images {
		text, err := docker(ctx, "image", "inspect", "-f", "{{.Size}}", r.project.image(service))
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		r.say("  image of %-8s %6.1f MB", service, float64(size)/1e6)
		if service != gateway && size >= maxImage {
			return fmt.Errorf("the image of %s has %d bytes", service, size)
		}
	}
	return nil
}

// checkContainers holds every container against what docker-compose.yml is to give it.
func (r *run) checkContainers(ctx context.Context) error {
	all, err := r.project.containers(ctx)
	if err != nil {
		return err
	}
	if found := slices.Sorted(maps.Keys(all)); !slices.Equal(found, slices.Sorted(slices.Values(r.project.everyone()))) {
		return fmt.Errorf("containers: %v", found)
	}
	var wrong []error
	for _, service := range r.project.everyone() {
		c := all[service]
		users, err := docker(ctx, "top", c.ID, "-eo", "pid,uid")
		if err != nil {
			return err
		}
		h := c.HostConfig
		for what, holds := range map[string]bool{
			"no process of root":         !slices.ContainsFunc(strings.Split(users, "\n")[1:], func(line string) bool { return strings.Fields(line)[1] == "0" }),
			"a user of its own":          c.Config.User != "" && c.Config.User != "root" && c.Config.User != "0",
			"a read-only file system":    h.ReadonlyRootfs,
			"no capability":              slices.Equal(h.CapDrop, []string{"ALL"}) && len(h.CapAdd) == 0 && !h.Privileged,
			"no new privileges":          slices.Contains(h.SecurityOpt, "no-new-privileges:true"),
			"a limit of memory":          h.Memory > 0,
			"a limit of processes":       h.PidsLimit > 0,
			"restarted unless stopped":   h.RestartPolicy.Name == "unless-stopped",
			"healthy":                    c.healthy(),
			"published as it should be":  c.published() == r.published(service),
			"its data in a named volume": c.volumes() == volumes(r.project.name, service),
		} {
			if !holds {
				wrong = append(wrong, fmt.Errorf("%s: not: %s", service, what))
			}
		}
	}
	for _, redis := range r.project.allShards() {
		wrong = append(wrong, r.checkRedis(ctx, redis, all[redis].HostConfig.Memory))
	}
	return errors.Join(append(wrong, r.checkReach(ctx, all))...)
}

// published lists the host's addresses that lead to the container.
func (c container) published() string {
	var found []string
	for port, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			found = append(found, b.HostIP+":"+b.HostPort+" to "+port)
		}
	}
	return strings.Join(found, ", ")
}

func (r *run) published(service string) string {
	if service != gateway {
		return ""
	}
	return fmt.Sprintf("127.0.0.1:%d to 8000/tcp", r.project.port)
}

func (c container) volumes() string {
	var found []string
	for _, m := range c.Mounts {
		if m.Type != "tmpfs" {
			found = append(found, m.Type+" "+m.Name+" at "+m.Destination)
		}
	}
	return strings.Join(found, ", ")
}

func volumes(project, service string) string {
	if owner, number, found := strings.Cut(service, "-redis"); found {
		return "volume " + project + "_" + owner + "-data" + number + " at /data"
	}
	return ""
}

// checkRedis asks a Redis how it keeps its data.
func (r *run) checkRedis(ctx context.Context, redis string, memory int64) error {
	text, err := r.project.compose(ctx, "exec", "-T", redis, "redis-cli", "config", "get", "[am]*")
	if err != nil {
		return err
	}
	lines, settings := strings.Split(text, "\n"), map[string]string{}
	for i := 0; i+1 < len(lines); i += 2 {
		settings[lines[i]] = lines[i+1]
	}
	var wrong []error
	for name, want := range map[string]string{"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction"} {
		if settings[name] != want {
			wrong = append(wrong, fmt.Errorf("%s: %s is %q, want %q", redis, name, settings[name], want))
		}
	}
	if most, err := strconv.ParseInt(settings["maxmemory"], 10, 64); err != nil || most <= 0 || 2*most > memory {
		wrong = append(wrong, fmt.Errorf("%s: maxmemory is %q: not half of the container's %d bytes", redis, settings["maxmemory"], memory))
	}
	return errors.Join(wrong...)
}

// unreachable are the exit codes by which curl says that nobody was reached; a Redis that was would answer or hang up, which is another.
var unreachable = []int{7, 28}

// checkReach lets the gateway knock at public doors, which must open, and at every Redis, which must be out of its reach.
func (r *run) checkReach(ctx context.Context, all map[string]container) error {
	for _, machine := range r.project.allMachines() {
		address := all[machine].NetworkSettings.Networks[r.project.name+"_front"].IPAddress
		if _, err := r.project.compose(ctx, "exec", "-T", gateway, "curl", "-sf", "-m", "5", "http://"+address+":5000/ping"); err != nil {
			return err
		}
	}
	for _, redis := range r.project.allShards() {
		for name, network := range all[redis].NetworkSettings.Networks {
			_, err := r.project.compose(ctx, "exec", "-T", gateway, "curl", "-s", "-m", "2", "http://"+network.IPAddress+":6379")
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !slices.Contains(unreachable, exit.ExitCode()) {
				return fmt.Errorf("the gateway reaches %s in %s: %w", redis, name, err)
			}
		}
	}
	return nil
}
