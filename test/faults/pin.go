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

// split keeps this program, which makes the load, and the system, which bears it, on different processors until the function that it
// returns is called: else the load would be part of what it measures. Where there is one processor only, nothing is split.
func (s *system) split() (how string, unite func() error, err error) {
	cores := runtime.NumCPU()
	if cores < 2 {
		return "one processor for load and system", func() error { return nil }, nil
	}
	var all, ours, theirs unix.CPUSet
	for i := range cores {
		all.Set(i)
		if i < cores/2 {
			theirs.Set(i)
		} else {
			ours.Set(i)
		}
	}
	unite = func() error { return pin(os.Getpid(), &all) }
	for _, p := range s.Processes() {
		err = errors.Join(err, pin(p.PID, &theirs))
	}
	if err = errors.Join(err, pin(os.Getpid(), &ours)); err != nil {
		return "", nil, errors.Join(err, unite())
	}
	return fmt.Sprintf("%d of %d processors for the system, the others for the load", cores/2, cores), unite, nil
}

// pin keeps all threads of a process, and those that they start, on some processors.
func pin(pid int, cores *unix.CPUSet) error {
	for round := 0; round < 3; round++ { // a thread that was started meanwhile is found in the next round
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
				return fmt.Errorf("processors of %d: %w", pid, err)
			}
		}
	}
	return nil
}

// roomForConnections is how many connections this program may open: as many as will do, or as the limit of open files leaves.
func roomForConnections() int {
	const enough, others = 14_000, 1000
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return others
	}
	return int(min(enough, max(limit.Cur, 2*others)-others))
}
