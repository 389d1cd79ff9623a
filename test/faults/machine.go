package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// describe says what machine this is and what runs on it, one line each.
func describe(ctx context.Context) []string {
	lines := []string{fmt.Sprintf("%s, %d processors for everything, the customers included", cpuModel(), runtime.NumCPU())}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		lines[0] += ", Linux " + strings.TrimSpace(string(kernel))
	}
	versions := []string{runtime.Version()}
	for _, command := range [][]string{{"redis-server", "--version"}, {"nginx", "-v"}} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err == nil {
			versions = append(versions, strings.TrimSpace(string(out)))
		}
	}
	lines = append(lines, strings.Join(versions, "; "))
	if out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output(); err == nil {
		lines = append(lines, "commit "+strings.TrimSpace(string(out)))
	}
	return lines
}

func cpuModel() string {
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(info)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
