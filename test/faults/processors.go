package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// pinProcessors pins this program and the system to different processors, so that the load does not slow down the
// system. With one processor, pinProcessors does nothing. It returns a description of the assignment. The returned
// function unpins this program.
func (s *system) pinProcessors() (how string, restore func() error, err error) {
	cores := runtime.NumCPU()
	if cores < 2 {
		return "one processor for the load and the system", func() error { return nil }, nil
	}
	var all, load, system unix.CPUSet
	for i := range cores {
		all.Set(i)
		if i < cores/2 {
			system.Set(i)
		} else {
			load.Set(i)
		}
	}
	restore = func() error { return pin(os.Getpid(), &all) }
	for _, p := range s.Processes() {
		err = errors.Join(err, pin(p.PID, &system))
	}
	if err = errors.Join(err, pin(os.Getpid(), &load)); err != nil {
		return "", nil, errors.Join(err, restore())
	}
	return fmt.Sprintf("%d of %d processors for the system, the rest for the load", cores/2, cores), restore, nil
}

// pin pins all threads of a process, and all threads that they start later, to processors.
func pin(pid int, cores *unix.CPUSet) error {
	for round := 0; round < 3; round++ { // later rounds pin threads that started meanwhile
		threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", pid))
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(filepath.Base(thread))
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, cores); err != nil && !errors.Is(err, syscall.ESRCH) {
				return fmt.Errorf("pin process %d: %w", pid, err)
			}
		}
	}
	return nil
}

// maxConnections returns the maximum number of connections of this program: enough for every scenario, or fewer if the
// limit of open files is low.
func maxConnections() int {
	const enough, others = 14_000, 1000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return others
	}
	return int(min(enough, max(limit.Cur, 2*others)-others))
}
