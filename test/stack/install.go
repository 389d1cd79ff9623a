package stack

import (
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

//go:embed install.sh
var installScript string

// Package is a Debian package. It counts as installed if Sign, a program or an absolute path, exists. If Sign is empty,
// dpkg must report the package as installed.
type Package struct{ Name, Sign string }

// SystemPackages returns the packages that Start needs in addition to Go.
func SystemPackages() []Package {
	return []Package{
		{"redis-server", "redis-server"},
		{"nginx", "nginx"},
		{"ca-certificates", "/etc/ssl/certs/ca-certificates.crt"}, // go downloads modules over TLS
	}
}

// ReplicaPackages returns the packages that Start also needs if Config.Replicas is 3.
func ReplicaPackages() []Package { return []Package{{"valkey-server", replicaServer()}} }

// replicaServer returns the server program of shards with three nodes. The default is Valkey, because the Redis of
// Debian 12 has no WAITAOF. The environment variable VALKEY names another program: Valkey 8 or newer, or Redis 7.2 or
// newer.
func replicaServer() string { return cmp.Or(os.Getenv("VALKEY"), "valkey-server") }

// CheckPackages returns the packages that `make check` needs.
func CheckPackages() []Package {
	return []Package{
		{"lua-check", "luacheck"}, {"shellcheck", "shellcheck"},
		{"ca-certificates", "/etc/ssl/certs/ca-certificates.crt"}, // go downloads modules over TLS
	}
}

// TestPackages returns the packages that all checks and tests need. The race detector needs the C compiler.
func TestPackages() []Package {
	return slices.Concat(SystemPackages(), ReplicaPackages(), CheckPackages(), []Package{
		{"gcc", "gcc"}, {"libc6-dev", ""}, {"git", "git"},
		{"redis-tools", "redis-cli"}, {"prometheus", "promtool"}, {"chromium", "chromium"}, {"npm", "npm"}, {"curl", "curl"},
		{"python3", ""}, {"python3-requests", ""}, {"python3-aiohttp", ""}, {"python3-locust", "locust"},
	})
}

// Install installs the missing packages with apt-get, as root or with sudo. It writes the progress to w.
func Install(ctx context.Context, w io.Writer, packages []Package) error {
	var missing []string
	for _, p := range packages {
		if !slices.Contains(missing, p.Name) && !p.installed(ctx) {
			missing = append(missing, p.Name)
		}
	}
	if missing == nil {
		return nil
	}
	list := strings.Join(missing, " ")
	if _, err := find("apt-get"); err != nil {
		return fmt.Errorf("install %s: apt-get not found", list)
	}
	args := append([]string{"/bin/sh", "-c", installScript, "install"}, missing...)
	how := "apt-get"
	if os.Geteuid() != 0 {
		if _, err := find("sudo"); err != nil {
			return fmt.Errorf("install %s: not root and sudo not found; run apt-get install %s as root", list, list)
		}
		args, how = append([]string{"sudo"}, args...), "sudo apt-get"
	}
	fmt.Fprintf(w, "installing %s with %s; the system services of these packages stay disabled\n", list, how)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // an interrupt lets the script clean up
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, w, w
	if err := cmd.Run(); err != nil {
		return errors.Join(fmt.Errorf("install %s: %w", list, err), context.Cause(ctx))
	}
	for _, p := range packages {
		if !p.installed(ctx) {
			return fmt.Errorf("install %s: %q is still missing", p.Name, cmp.Or(p.Sign, p.Name))
		}
	}
	return nil
}

func (p Package) installed(ctx context.Context) bool {
	switch {
	case strings.HasPrefix(p.Sign, "/"):
		_, err := os.Stat(p.Sign)
		return err == nil
	case p.Sign != "":
		_, err := find(p.Sign)
		return err == nil
	}
	out, err := exec.CommandContext(ctx, "dpkg-query", "-W", "-f", "${Status}", p.Name).Output()
	return err == nil && string(out) == "install ok installed"
}
