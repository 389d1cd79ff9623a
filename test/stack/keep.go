package stack

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxKept      = 20        // folders of failed runs that remain; Keep removes the oldest ones
	maxKeptBytes = 256 << 20 // maximum size of the files in one folder
)

// T is the part of testing.T that End needs.
type T interface {
	Name() string
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
}

// End closes the system at the end of a test. If the test has failed, End keeps the files and logs their folder.
func (s *Stack) End(t T) {
	if t.Failed() {
		folder, err := s.Keep(t.Name())
		if err != nil {
			folder = err.Error()
		}
		t.Logf("logs and Redis files of %s: %s", t.Name(), folder)
	}
	if err := s.Close(); err != nil {
		t.Errorf("close the system: %v", err)
	}
}

var unsafeInNames = regexp.MustCompile(`[^a-zA-Z0-9._-]+`)

// Keep creates a folder for the files of the failed run, writes the state of each component to it, and returns it.
// Close later copies the directory of the system to the folder. Call Keep as soon as the run has failed, so that the
// error message can name the folder.
func (s *Stack) Keep(name string) (folder string, err error) {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	select {
	case <-s.closed:
		return "", errors.Join(errors.New("keep the files of the system"), errClosed)
	default:
	}
	if s.kept != "" {
		return s.kept, nil
	}
	parent := s.cfg.Kept
	if parent == "" {
		root, err := Root()
		if err != nil {
			return "", err
		}
		parent = filepath.Join(root, "bin", "failed")
	}
	folder = filepath.Join(parent, time.Now().Format("20060102-150405.000-")+unsafeInNames.ReplaceAllString(name, "_"))
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	var state strings.Builder
	for _, c := range s.components {
		how := "is not running"
		if p := c.process(); p.running() {
			how = fmt.Sprintf("runs as process %d", p.pid)
		}
		addr := ""
		if len(c.listeners) > 0 {
			addr = c.listeners[0].addr
		}
		fmt.Fprintf(&state, "%s at %s %s\n", c.name, addr, how)
	}
	if err := os.WriteFile(filepath.Join(folder, "components.txt"), []byte(state.String()), 0o644); err != nil {
		return "", err
	}
	s.kept = folder
	return folder, removeOldest(parent, maxKept)
}

// removeOldest removes the oldest folders until n folders are left. The name of each folder starts with the time of its
// creation.
func removeOldest(parent string, n int) error {
	folders, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	slices.SortFunc(folders, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	var errs []error
	for i := 0; i < len(folders)-n; i++ {
		errs = append(errs, os.RemoveAll(filepath.Join(parent, folders[i].Name())))
	}
	return errors.Join(errs...)
}

// copyKept copies the directory of the system if Keep was called. No process may run.
func (s *Stack) copyKept() error {
	s.keeping.Lock()
	defer s.keeping.Unlock()
	if s.kept == "" {
		return nil
	}
	left := int64(maxKeptBytes)
	return filepath.WalkDir(s.dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		to := filepath.Join(s.kept, relative)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if left -= info.Size(); left < 0 {
			note := fmt.Sprintf("not copied: %d bytes, and the folder is limited to %d\n", info.Size(), maxKeptBytes)
			left += info.Size()
			return os.WriteFile(to+".missing", []byte(note), 0o644)
		}
		return copyFile(path, to)
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(to)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}
