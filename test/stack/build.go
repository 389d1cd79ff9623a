package stack

import (
	"context"
	"encoding/json"
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

// Source says what the services are built from. The zero value is the project's code as it is.
type Source struct {
	Race bool   // with the race detector
	Tags string // build tags, comma-separated
	Overlay
}

// Overlay replaces files for a build, and leaves the sources alone: for a service, the text of each file, named from the project's
// root.
type Overlay map[string]map[string]string

// builds holds what this process has built.
var builds = struct {
	sync.Mutex
	done map[string]*built // by the whole of the Source
}{done: map[string]*built{}}

// built is one build: nobody else makes it at the same time.
type built struct {
	sync.Mutex
	dir    string  // empty: not yet
	reaper *reaper // kept, so that its pipe stays open as long as this process lives
}

// Build builds the three services and returns a folder with the binaries, which goes when this process ends. A process
// builds a source once, so that everything it starts is the same code, whatever happens to the sources meanwhile. What the go
// command says goes to progress, too.
func Build(ctx context.Context, progress io.Writer, source Source) (string, error) {
	key := fmt.Sprint(source)
	builds.Lock()
	b := builds.done[key]
	if b == nil {
		b = &built{}
		builds.done[key] = b
	}
	builds.Unlock()
	b.Lock()
	defer b.Unlock()
	if b.dir != "" {
		return b.dir, nil
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
	b.reaper = r
	if len(source.Overlay) == 0 {
		err = buildInto(ctx, progress, dir, root, source)
	} else {
		err = buildOver(ctx, progress, dir, root, source)
	}
	if err != nil {
		return "", err
	}
	b.dir = dir
	return dir, nil
}

// buildInto goes by the project's bin folder: what is current there is not linked again, which is what takes the time.
func buildInto(ctx context.Context, progress io.Writer, dir, root string, source Source) error {
	bin := filepath.Join(root, "bin")
	if source.Tags != "" {
		bin = filepath.Join(bin, "tags-"+strings.ReplaceAll(source.Tags, ",", "-"))
	}
	if source.Race {
		bin = filepath.Join(bin, "race")
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
	if err := goBuild(ctx, progress, root, bin, source, Services()); err != nil {
		return err
	}
	for _, service := range Services() {
		if err := linkOrCopy(filepath.Join(bin, service), filepath.Join(dir, service)); err != nil {
			return err
		}
	}
	return nil
}

// buildOver builds the services that have an overlay, each once for all sources that have the same one for it, and takes the others from
// the build without one.
func buildOver(ctx context.Context, progress io.Writer, dir, root string, source Source) error {
	for _, service := range Services() {
		files := source.Overlay[service]
		if len(files) > 0 && len(source.Overlay) == 1 {
			overlay, err := writeOverlay(filepath.Join(dir, "overlay-"+service), root, files)
			if err != nil {
				return err
			}
			if err := goBuild(ctx, progress, root, dir, source, []string{service}, "-overlay", overlay); err != nil {
				return err
			}
			continue
		}
		of := Source{Race: source.Race, Tags: source.Tags}
		if len(files) > 0 {
			of.Overlay = Overlay{service: files}
		}
		from, err := Build(ctx, progress, of)
		if err != nil {
			return err
		}
		if err := linkOrCopy(filepath.Join(from, service), filepath.Join(dir, service)); err != nil {
			return err
		}
	}
	return nil
}

// writeOverlay writes the files of an overlay into a new folder, and the list of them that the go command reads.
func writeOverlay(dir, root string, files map[string]string) (string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, text := range files {
		instead := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(instead, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = instead
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o644)
}

// goBuild runs the go command, whose binaries go to the folder to.
func goBuild(ctx context.Context, progress io.Writer, root, to string, source Source, services []string, flags ...string) error {
	args, env := slices.Concat([]string{"build", "-o", to + "/", "-buildvcs=false"}, flags), os.Environ()
	if source.Race {
		args, env = append(args, "-race"), append(env, "CGO_ENABLED=1")
	}
	if source.Tags != "" {
		args = append(args, "-tags", source.Tags)
	}
	for _, service := range services {
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
