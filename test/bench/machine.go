package main

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"

	"github.com/redis/go-redis/v9"

	"checkout/test/host"
)

// describe says what machine this is and what runs on it, one line each.
func describe(ctx context.Context, sys *system) []string {
	lines := []string{host.Processors("the generator"), host.Kernel()}
	if sys.stack == nil {
		return append(lines, "a system that was running at "+sys.gateway)
	}
	lines = append(lines, runtime.Version())
	client := redis.NewClient(&redis.Options{Addr: sys.stack.RedisAddrs("order")[0]})
	defer client.Close()
	if info, err := client.Info(ctx, "server").Result(); err == nil {
		lines = append(lines, "Redis "+after(info, "redis_version:"))
	}
	for _, name := range []string{"appendonly", "appendfsync"} {
		if config, err := client.ConfigGet(ctx, name).Result(); err == nil {
			lines[len(lines)-1] += fmt.Sprintf(", %s %s", name, config[name])
		}
	}
	for _, p := range sys.stack.Processes() {
		if p.Name != "nginx" {
			continue
		}
		if out, err := exec.CommandContext(ctx, fmt.Sprintf("/proc/%d/exe", p.PID), "-v").CombinedOutput(); err == nil {
			lines = append(lines, "nginx "+after(string(out), "nginx/"))
		}
		break
	}
	return append(lines, host.Commit(ctx))
}

// after is what follows the mark on its line.
func after(text, mark string) string {
	_, rest, _ := strings.Cut(text, mark)
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}
