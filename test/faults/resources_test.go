package main

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"checkout/test/stack"
)

// TestCPUTime checks that the CPU time of a busy loop is positive, and at most 10 ms above the time that getrusage
// reports.
func TestCPUTime(t *testing.T) {
	self := []stack.Process{{PID: os.Getpid()}}
	usageBefore, before := rusage(t), cpuTime(self)
	for until := time.Now().Add(50 * time.Millisecond); time.Now().Before(until); {
	}
	took, most := cpuTime(self)-before, rusage(t)-usageBefore
	if took <= 0 || took > most+10*time.Millisecond {
		t.Errorf("CPU time: got %v, want more than 0, and at most 10 ms above the %v of getrusage", took, most)
	}
}

func rusage(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
