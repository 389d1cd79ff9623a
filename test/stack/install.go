package stack

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

//go:embed install.sh
var installScript string

// Need is a Debian package and the program or the file by which it is recognised, wherever that came from. Without
// either the package itself is looked for.
type Need struct{ Package, Sign string }

// SystemPackages is what Start needs beyond Go: go itself fetches modules by TLS.
func SystemPackages() []Need {
	return []Need{{"redis-server", "redis-server"}, {"nginx", "nginx"}, {"ca-certificates", "/etc/ssl/certs/ca-certificates.crt"}}
}

// TestPackages is what the checks and tests need as well: a C compiler for the race detector, luacheck, Prometheus, Chromium, npm,
// and what the Python suite and the examples call.
func TestPackages() []Need {
	return append(SystemPackages(),
		Need{"gcc", "gcc"}, Need{"libc6-dev", ""}, Need{"lua-check", "luacheck"}, Need{"shellcheck", "shellcheck"}, Need{"redis-tools", "redis-cli"},
		Need{"prometheus", "promtool"}, Need{"chromium", "chromium"}, Need{"npm", "npm"}, Need{"python3-locust", "locust"},
		Need{"curl", "curl"}, Need{"python3", ""}, Need{"python3-requests", ""}, Need{"python3-aiohttp", ""})
}

// Install installs what is missing by apt-get, with sudo unless this is root, after saying so to w.
func Install(ctx context.Context, w io.Writer, needs []Need) error {
	var missing []string
	for _, need := range needs {
		if !need.met(ctx) {
			missing = append(missing, need.Package)
		}
	}
	if missing == nil {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := find("apt-get"); err != nil {
		return fmt.Errorf("not installed, and no apt-get to install it with: %s", list)
	}
	args := append([]string{"/bin/sh", "-c", installScript, "install"}, missing...)
	how := "apt-get"
	if os.Geteuid() != 0 {
		if _, err := find("sudo"); err != nil {
			return fmt.Errorf("not installed: %s; run this once as root, or: apt-get install %s", list, list)
		}
		args, how = append([]string{"sudo"}, args...), "sudo apt-get"
	}
	fmt.Fprintf(w, "missing: %s; installing with %s (services of these packages stay stopped and disabled)\n", list, how)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // so that it cleans up
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, w, w
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("installing %s: %w", list, err), context.Cause(ctx))
	}
	for _, need := range needs {
		if !need.met(ctx) {
			return fmt.Errorf("%s was installed, and %s is still not found", need.Package, need.Sign)
		}
	}
	return nil
}

func (n Need) met(ctx context.Context) bool {
	switch {
	case strings.HasPrefix(n.Sign, "/"):
		_, err := os.Stat(n.Sign)
		return err == nil
	case n.Sign != "":
		_, err := find(n.Sign)
		return err == nil
	}
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Status}", n.Package).Output()
	return err == nil && string(out) == "install ok installed"
}
