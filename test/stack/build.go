package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
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

// builds holds what this process has built.
var builds = struct {
	sync.Mutex
	dirs    map[bool]string // by race
	reapers []*reaper       // kept, so that their pipes stay open as long as this process lives
}{dirs: map[bool]string{}}

// Build builds the three services and returns a folder with the binaries, which goes when this process ends. A process
// builds once, so that everything it starts is the same code, whatever happens to the sources meanwhile. What the go
// command says goes to progress, too.
func Build(ctx context.Context, progress io.Writer, race bool) (string, error) {
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
	if err := buildInto(ctx, progress, dir, root, race); err != nil {
		return "", err
	}
	builds.dirs[race] = dir
	return dir, nil
}

// buildInto goes by the project's bin folder: what is current there is not linked again, which is what takes the time.
func buildInto(ctx context.Context, progress io.Writer, dir, root string, race bool) error {
	bin, flags, env := filepath.Join(root, "bin"), []string{"-buildvcs=false"}, os.Environ()
	if race {
		bin, flags, env = filepath.Join(bin, "race"), append(flags, "-race"), append(env, "CGO_ENABLED=1")
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return err
	}
	lock, err := os.OpenFile(filepath.Join(bin, ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("locking %s: %w", lock.Name(), err)
	}
	args := slices.Concat([]string{"build", "-o", bin + "/"}, flags)
	for _, service := range Services() {
		args = append(args, "./"+service)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, env
	var said strings.Builder
	cmd.Stdout = io.MultiWriter(&said, progress)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, said.String())
	}
	for _, service := range Services() {
		if err := linkOrCopy(filepath.Join(bin, service), filepath.Join(dir, service)); err != nil {
			return err
		}
	}
	return nil
}

// linkOrCopy makes to the same file as from, or a copy where they are on different file systems.
func linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
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
