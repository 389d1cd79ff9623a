package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
)

var (
	services = []string{"order", "stock", "payment"}
	gateway  = "gateway"
	images   = slices.Concat(services, []string{"keeper", gateway})
)

// Size limits in bytes. Each image except the gateway's contains only a static binary and certificates.
const (
	maxImage     = 20e6
	certificates = 500e3 // the limit of a binary is maxImage - certificates
)

// checkImages prints the size of each image. It returns an error if the image of a service or of the keeper is too
// large, or does not contain the version of this build.
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
		r.Logf("image of %-8s %6.1f MB", service, float64(size)/1e6)
		if service == gateway {
			continue
		}
		if size >= maxImage {
			return fmt.Errorf("check image of %s: %d bytes, want less than %.0f", service, size, maxImage)
		}
		version, err := docker(ctx, "run", "--rm", "--network", "none", r.project.image(service), "--version")
		want := service + " " + cmp.Or(os.Getenv("VERSION"), "devel") + " "
		if err == nil && !strings.HasPrefix(version, want) {
			err = fmt.Errorf("run %s --version in its image: got %q, want the prefix %q", service, version, want)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkContainers checks the restrictions, restart policy, health, ports and mounts of every container. It also checks
// the settings of each Redis, and which containers the gateway can reach.
func (r *run) checkContainers(ctx context.Context) error {
	all, err := r.project.inspect(ctx)
	if err != nil {
		return err
	}
	if got := slices.Sorted(maps.Keys(all)); !slices.Equal(got, slices.Sorted(slices.Values(r.project.all()))) {
		return fmt.Errorf("list containers: got %v, want %v", got, r.project.all())
	}
	var errs []error
	for _, service := range r.project.all() {
		c := all[service]
		users, err := docker(ctx, "top", c.ID, "-eo", "pid,uid")
		if err != nil {
			return err
		}
		h := c.HostConfig
		for what, holds := range map[string]bool{
			"no process of root":      !slices.ContainsFunc(strings.Split(users, "\n")[1:], isRoot),
			"a non-root user":         c.Config.User != "" && c.Config.User != "root" && c.Config.User != "0",
			"a read-only file system": h.ReadonlyRootfs,
			"no capability":           slices.Equal(h.CapDrop, []string{"ALL"}) && len(h.CapAdd) == 0,
			"no privileges":           !h.Privileged,
			"no new privileges":       slices.Contains(h.SecurityOpt, "no-new-privileges:true"),
			"a memory limit":          h.Memory > 0,
			"a process limit":         h.PidsLimit > 0,
			"restart unless stopped":  h.RestartPolicy.Name == "unless-stopped",
			"a passed health check":   c.healthy(),
			"the expected ports":      c.published() == r.published(service),
			"the expected mounts":     c.mounts() == mounts(r.project.name, service),
		} {
			if !holds {
				errs = append(errs, fmt.Errorf("check container %s: want %s", service, what))
			}
		}
	}
	for _, redis := range r.project.allRedis() {
		errs = append(errs, r.checkRedis(ctx, redis, all[redis].HostConfig.Memory))
	}
	return errors.Join(append(errs, r.checkReach(ctx, all))...)
}

// isRoot reports whether a line of `docker top -eo pid,uid` describes a process of root.
func isRoot(line string) bool { return strings.Fields(line)[1] == "0" }

// published lists the published ports of the container as "host IP:host port to container port".
func (c container) published() string {
	var ports []string
	for port, bindings := range c.NetworkSettings.Ports {
		for _, b := range bindings {
			ports = append(ports, b.HostIP+":"+b.HostPort+" to "+port)
		}
	}
	return strings.Join(ports, ", ")
}

// published returns the expected result of container.published for a service. Only the gateway publishes a port.
func (r *run) published(service string) string {
	if service != gateway {
		return ""
	}
	return fmt.Sprintf("127.0.0.1:%d to 8000/tcp", r.project.port)
}

// mounts lists the volumes and files that are mounted in the container, sorted by destination.
func (c container) mounts() string {
	var mounts []string
	for _, m := range c.Mounts {
		if m.Type != "tmpfs" {
			mounts = append(mounts, fmt.Sprintf("%s: %s %s, writable: %v", m.Destination, m.Type, m.Name, m.RW))
		}
	}
	slices.Sort(mounts)
	return strings.Join(mounts, "; ")
}

// mounts returns the expected result of container.mounts for a service.
func mounts(project, service string) string {
	if owner, number, isRedis := strings.Cut(service, "-redis"); isRedis {
		return fmt.Sprintf("/data: volume %s_%s-data%s, writable: true; /usr/local/bin/redis-start: bind , writable: false",
			project, owner, number)
	}
	return ""
}

// checkRedis checks the settings that prevent a Redis from losing data. The argument memory is the memory limit of the
// container in bytes.
func (r *run) checkRedis(ctx context.Context, redis string, memory int64) error {
	text, err := r.project.compose(ctx, "exec", "-T", redis, "redis-cli", "config", "get", "[am]*")
	if err != nil {
		return err
	}
	lines, settings := strings.Split(text, "\n"), map[string]string{}
	for i := 0; i+1 < len(lines); i += 2 {
		settings[lines[i]] = lines[i+1]
	}
	var errs []error
	for name, want := range map[string]string{
		"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction",
	} {
		if settings[name] != want {
			errs = append(errs, fmt.Errorf("check %s: %s is %q, want %q", redis, name, settings[name], want))
		}
	}
	if most, err := strconv.ParseInt(settings["maxmemory"], 10, 64); err != nil || most <= 0 || 2*most > memory {
		errs = append(errs, fmt.Errorf("check %s: maxmemory is %q, want at most half of the container's %d bytes",
			redis, settings["maxmemory"], memory))
	}
	return errors.Join(errs...)
}

// unreachable are the exit codes of curl for "could not connect" and "timeout". If curl reaches a Redis, it exits with
// a different code.
var unreachable = []int{7, 28}

// checkReach checks that the gateway can reach the public port of every instance, but no Redis.
func (r *run) checkReach(ctx context.Context, all map[string]container) error {
	for _, name := range r.project.allInstances() {
		address := all[name].NetworkSettings.Networks[r.project.name+"_front"].IPAddress
		ping := "http://" + address + ":5000/ping"
		if _, err := r.project.compose(ctx, "exec", "-T", gateway, "curl", "-sf", "-m", "5", ping); err != nil {
			return err
		}
	}
	for _, redis := range r.project.allRedis() {
		for name, network := range all[redis].NetworkSettings.Networks {
			url := "http://" + network.IPAddress + ":6379"
			_, err := r.project.compose(ctx, "exec", "-T", gateway, "curl", "-s", "-m", "2", url)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || !slices.Contains(unreachable, exit.ExitCode()) {
				return fmt.Errorf("connect from the gateway to %s in network %s: got error %v, want curl exit code 7 or 28",
					redis, name, err)
			}
		}
	}
	return nil
}
