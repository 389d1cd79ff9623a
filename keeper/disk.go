package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"checkout/keeper/rule"
)

// stateFile is the file with the promise of a node. It implements rule.Disk.
type stateFile struct {
	path  string
	shard string
	node  int
}

// stored is the JSON in a stateFile.
type stored struct {
	Shard string `json:"shard"`
	Node  int    `json:"node"`
	rule.Promise
}

// load reads the file. If there is no file, the second result is false. A file that cannot be read is an error, because
// a keeper that does not know its promise may break it.
func (f stateFile) load() (promise rule.Promise, found bool, err error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return rule.Promise{}, false, nil
	}
	if err != nil {
		return rule.Promise{}, false, err
	}
	var s stored
	if err := json.Unmarshal(text, &s); err != nil {
		return rule.Promise{}, false, fmt.Errorf("read %s: %w", f.path, err)
	}
	if s.Epoch < 0 {
		return rule.Promise{}, false, fmt.Errorf("read %s: invalid epoch %d", f.path, s.Epoch)
	}
	if s.Shard != f.shard || s.Node != f.node {
		return rule.Promise{}, false, fmt.Errorf("%s belongs to node %d of %s; this is node %d of %s",
			f.path, s.Node, s.Shard, f.node, f.shard)
	}
	return s.Promise, true, nil
}

// lockState locks a state file until the process exits or the caller closes the result. Without the lock, a second
// keeper with the same file could break the promise of the first one. Save replaces the state file, so the lock is on
// another file. The directory must exist: if it is missing, its disk may not be mounted.
func lockState(path string) (*os.File, error) {
	file, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: another keeper may be using this state file: %w", file.Name(), err)
	}
	return file, nil
}

// Kept implements rule.Disk.
func (f stateFile) Kept() bool {
	_, found, err := f.load()
	return found && err == nil
}

// Save implements rule.Disk. After a crash, the file has the old content or the new content.
func (f stateFile) Save(promise rule.Promise) error {
	text, err := json.Marshal(stored{f.shard, f.node, promise})
	if err != nil {
		return err
	}
	dir := filepath.Dir(f.path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	temporary := f.path + ".new"
	if err := writeSynced(temporary, append(text, '\n')); err != nil {
		return err
	}
	if err := os.Rename(temporary, f.path); err != nil {
		return err
	}
	return syncDir(dir)
}

func writeSynced(path string, content []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	return errors.Join(err, file.Sync(), file.Close())
}

func syncDir(path string) error {
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
