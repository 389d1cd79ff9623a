package main

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"checkout/test/stack"
)

// TestTheProcessorTimeOfProcesses holds it against what the kernel says of this one.
func TestTheProcessorTimeOfProcesses(t *testing.T) {
	self := []stack.Process{{PID: os.Getpid()}}
	before, begun := used(t), spent(self)
	for until := time.Now().Add(50 * time.Millisecond); time.Now().Before(until); {
	}
	took, most := spent(self)-begun, used(t)-before
	if took <= 0 || took > most+10*time.Millisecond {
		t.Errorf("%v are measured, of %v", took, most)
	}
}

func used(t *testing.T) time.Duration {
	t.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
