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

	"checkout/common/version"
)

// Root returns the root directory of the module: the current directory or the nearest parent that contains go.mod.
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
			return "", errors.New("find the project: no go.mod in this directory or its parents")
		}
	}
}

// Source selects a build of the services. The zero value builds the project's code, unchanged.
type Source struct {
	Race bool   // build with the race detector
	Tags string // build tags, comma-separated
	// Version is the version that the services print for --version; empty: "devel".
	Version string
	Keeper  bool // also build the keeper
	Overlay
}

// programs returns the names of the binaries.
func (s Source) programs() []string {
	if s.Keeper {
		return append(Services(), keeperBinary)
	}
	return Services()
}

// Overlay lists source files that a build replaces; the files on disk stay unchanged. The first key is a program, the
// second key a path relative to the project's root. The value is the new content.
type Overlay map[string]map[string]string

// builds caches the builds of this process.
var builds = struct {
	sync.Mutex
	done map[string]*build // the key is fmt.Sprint(Source)
}{done: map[string]*build{}}

// build is the build of one source. Its mutex is locked during the build.
type build struct {
	sync.Mutex
	dir    string  // empty until the build succeeds
	reaper *reaper // removes dir when this process ends
}

// Build builds the programs of a source and returns the directory with their binaries. It builds each source only once
// per process, so later changes to the source files have no effect. The reaper removes the directory when this process
// ends. The output of the go command goes to the given writer.
func Build(ctx context.Context, progress io.Writer, source Source) (string, error) {
	key := fmt.Sprint(source)
	builds.Lock()
	b := builds.done[key]
	if b == nil {
		b = &build{}
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
		err = buildAll(ctx, progress, dir, root, source)
	} else {
		err = buildOverlay(ctx, progress, dir, root, source)
	}
	if err != nil {
		return "", err
	}
	b.dir = dir
	return dir, nil
}

// buildAll builds all programs into the project's bin directory, where go build skips binaries that are up to date.
// Then buildAll links the binaries into dir.
func buildAll(ctx context.Context, progress io.Writer, dir, root string, source Source) error {
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
		return fmt.Errorf("lock %s: %w", lock.Name(), err)
	}
	if err := goBuild(ctx, progress, root, bin, source, source.programs()); err != nil {
		return err
	}
	for _, program := range source.programs() {
		if err := linkOrCopy(filepath.Join(bin, program), filepath.Join(dir, program)); err != nil {
			return err
		}
	}
	return nil
}

// buildOverlay builds a source with overlays. If only one program has an overlay, buildOverlay builds that program
// itself. To avoid repeated builds, the other programs come from Build, which builds simpler sources:
//   - for a program without an overlay: the source without overlays
//   - for one of several programs with overlays: the source with the overlay of this program only
func buildOverlay(ctx context.Context, progress io.Writer, dir, root string, source Source) error {
	for _, program := range source.programs() {
		files := source.Overlay[program]
		if len(files) > 0 && len(source.Overlay) == 1 {
			overlay, err := writeOverlay(filepath.Join(dir, "overlay-"+program), root, files)
			if err != nil {
				return err
			}
			if err := goBuild(ctx, progress, root, dir, source, []string{program}, "-overlay", overlay); err != nil {
				return err
			}
			continue
		}
		single := Source{Race: source.Race, Tags: source.Tags, Keeper: source.Keeper}
		if len(files) > 0 {
			single.Overlay = Overlay{program: files}
		}
		from, err := Build(ctx, progress, single)
		if err != nil {
			return err
		}
		if err := linkOrCopy(filepath.Join(from, program), filepath.Join(dir, program)); err != nil {
			return err
		}
	}
	return nil
}

// writeOverlay writes the files of an overlay to a new directory. It returns the path of the JSON file that go build
// -overlay reads.
func writeOverlay(dir, root string, files map[string]string) (string, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return "", err
	}
	replace := map[string]string{}
	for name, text := range files {
		copied := filepath.Join(dir, strings.ReplaceAll(name, "/", "_"))
		if err := os.WriteFile(copied, []byte(text), 0o644); err != nil {
			return "", err
		}
		replace[filepath.Join(root, name)] = copied
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "overlay.json")
	return path, os.WriteFile(path, list, 0o644)
}

// goBuild builds programs and writes the binaries to a directory.
func goBuild(
	ctx context.Context, progress io.Writer, root, to string, source Source, programs []string, flags ...string,
) error {
	args, env := slices.Concat([]string{"build", "-o", to + "/", "-buildvcs=false"}, flags), os.Environ()
	if source.Race {
		args, env = append(args, "-race"), append(env, "CGO_ENABLED=1")
	}
	args = append(args, "-tags", strings.TrimSuffix("nomsgpack,"+source.Tags, ",")) // as in the Dockerfile
	// Without a version, the binaries are for tests and need no debug information, which would take a quarter of the
	// linker's time.
	ldflags := "-w"
	if source.Version != "" {
		ldflags = "-X " + version.LinkerFlag + source.Version
	}
	args = append(args, "-ldflags", ldflags)
	for _, program := range programs {
		args = append(args, "./"+program)
	}
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env = root, env
	var output strings.Builder
	cmd.Stdout = io.MultiWriter(&output, progress)
	cmd.Stderr = cmd.Stdout
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, output.String())
	}
	return nil
}

// linkOrCopy creates a hard link to a file. If that fails, for example because the two paths are on different file
// systems, linkOrCopy copies the file.
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

// find returns the path of a program. It also searches the directories that Debian puts only into root's PATH.
func find(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	for _, dir := range []string{"/usr/sbin", "/usr/local/sbin", "/sbin"} {
		if path, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: run `make deps`", program)
}
