package stack

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// lockFile creates a file, locks it, and writes this process's PID to it. The owner of the lock removes the file before
// it releases the lock. If lockFile has locked a file that was removed in this way, it tries again with a new file.
func lockFile(name string) (*os.File, error) {
	for {
		lock, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, err
		}
		if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			lock.Close()
			holder, _ := os.ReadFile(name)
			return nil, fmt.Errorf("lock data directory %s: in use by another system (pid %s)",
				filepath.Dir(name), strings.TrimSpace(string(holder)))
		}
		locked, err := lock.Stat()
		if err != nil {
			lock.Close()
			return nil, err
		}
		if named, err := os.Stat(name); err != nil || !os.SameFile(locked, named) {
			lock.Close()
			continue
		}
		err = lock.Truncate(0)
		if err == nil {
			_, err = lock.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
		}
		if err != nil {
			return nil, errors.Join(err, unlock(lock))
		}
		return lock, nil
	}
}

// unlock removes the file that lockFile created, and then releases the lock.
func unlock(lock *os.File) error {
	err := os.Remove(lock.Name())
	if errors.Is(err, os.ErrNotExist) {
		err = nil
	}
	return errors.Join(err, lock.Close())
}
