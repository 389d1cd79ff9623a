package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"checkout/test/stack"
)

// cpuTime returns the CPU time that processes have used. It reads the CPU clocks of the processes, because reading
// /proc may take over a second in a program with thousands of busy clients.
func cpuTime(processes []stack.Process) (all time.Duration) {
	const ofAllThreads = 2 // CPUCLOCK_SCHED; see clock_getcpuclockid(3)
	for _, p := range processes {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^p.PID<<3|ofAllThreads), &t); err != nil {
			continue // the process has exited
		}
		all += time.Duration(t.Nano())
	}
	return all
}

// memoryPeaks contains the maximum resident memory of processes, by name.
type memoryPeaks struct {
	mu  sync.Mutex
	MiB map[string]int
}

// watchMemory samples the memory of the system's processes, except Redis, until the caller calls the returned function.
func (s *system) watchMemory() (m *memoryPeaks, stop func()) {
	m = &memoryPeaks{MiB: map[string]int{}}
	processes := slices.DeleteFunc(s.Processes(), func(p stack.Process) bool {
		return strings.HasPrefix(p.Name, "redis-") // the memory of a Redis depends on the data
	})
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			now := map[string]int{}
			for _, p := range processes {
				now[p.Name] += residentMiB(p.PID)
			}
			m.mu.Lock()
			for name, resident := range now {
				m.MiB[name] = max(m.MiB[name], resident)
			}
			m.mu.Unlock()
			select {
			case <-stopping:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return m, func() { close(stopping); <-stopped }
}

func (m *memoryPeaks) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return formatCounts(m.MiB)
}

func residentMiB(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0 // the process has exited
	}
	_, line, ok := strings.Cut(string(status), "\nVmRSS:")
	if !ok {
		return 0
	}
	kib, _ := strconv.Atoi(strings.Fields(line)[0])
	return kib >> 10
}
