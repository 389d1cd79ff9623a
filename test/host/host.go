// Package host says on what something was measured or tried, for a report.
package host

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// Processors are the machine's, which the system had to share with somebody on it.
func Processors(sharedWith string) string {
	return fmt.Sprintf("%s, %d processors for everything, %s included", model(), runtime.NumCPU(), sharedWith)
}

func model() string {
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

// Kernel is the operating system and its release.
func Kernel() string {
	release, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return runtime.GOOS
	}
	return "Linux " + strings.TrimSpace(string(release))
}

// Commit is what the sources are, "commit …", and "-dirty" with what was changed since; of sources that are no
// checkout, that this cannot be told.
func Commit(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "of no known commit"
	}
	return "commit " + strings.TrimSpace(string(out))
}
