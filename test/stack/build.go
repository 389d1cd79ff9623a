package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// Root finds the module's folder: the nearest one upwards from here with a go.mod.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod here or above: start this inside the project's folder")
		}
	}
}

// builds holds what this process has built: the tests of a package start many stacks of the same binaries.
var builds = struct {
	sync.Mutex
	dirs    map[bool]string // by race
	reapers []*reaper       // kept, so that their pipes stay open as long as this process lives
}{dirs: map[bool]string{}}

// Build builds the three services, once in a process, and returns the folder with the binaries. It is a temporary
// folder that goes when this process ends.
func Build(ctx context.Context, race bool) (string, error) {
	builds.Lock()
	defer builds.Unlock()
	if dir := builds.dirs[race]; dir != "" {
		return dir, nil
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "checkout-bin-")
	if err != nil {
		return "", err
	}
	r, err := newReaper(dir)
	if err != nil {
		return "", errors.Join(err, os.RemoveAll(dir))
	}
	builds.reapers = append(builds.reapers, r)
	args := []string{"build", "-buildvcs=false", "-o", dir + "/"}
	if race {
		args = append(args, "-race")
	}
	for _, service := range Services() {
		args = append(args, "./"+service)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = root
	if race {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	builds.dirs[race] = dir
	return dir, nil
}

// find looks for a program in PATH and where Debian puts what only root has in PATH.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: `make deps` installs what is missing", program)
}
