package main

import (
	"context"
	"os/exec"
	"runtime"
	"strings"

	"checkout/test/host"
)

// describe says what machine this is and what runs on it, one line each.
func describe(ctx context.Context) []string {
	versions := []string{runtime.Version()}
	for _, command := range [][]string{{"redis-server", "--version"}, {"nginx", "-v"}} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err == nil {
			versions = append(versions, strings.TrimSpace(string(out)))
		}
	}
	return []string{host.Processors("the customers") + ", " + host.Kernel(), strings.Join(versions, "; "), host.Commit(ctx)}
}
