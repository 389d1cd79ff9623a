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

// spent is the processor time that these processes have spent so far, as the kernel's clocks of them tell. Files in /proc tell it too, but
// to read some takes a second and more in a program that has thousands of callers to attend to, and keeps it from them.
func spent(processes []stack.Process) (all time.Duration) {
	const ofAllThreads = 2 // CPUCLOCK_SCHED: see clock_getcpuclockid(3)
	for _, p := range processes {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^p.PID<<3|ofAllThreads), &t); err != nil {
			continue // it has just ended
		}
		all += time.Duration(t.Nano())
	}
	return all
}

// memory is the most that each part has held, as far as it was seen.
type memory struct {
	mu   sync.Mutex
	held map[string]int // MiB
}

// watchMemory watches the processes that run now.
func (s *system) watchMemory() (m *memory, stop func()) {
	m = &memory{held: map[string]int{}}
	processes := s.Processes()
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			now := map[string]int{}
			for _, p := range processes {
				if !strings.HasPrefix(p.Name, "redis-") { // what they hold is the data
					now[p.Name] += residentMiB(p.PID)
				}
			}
			m.mu.Lock()
			for name, held := range now {
				m.held[name] = max(m.held[name], held)
			}
			m.mu.Unlock()
			select {
			case <-ended:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return m, func() { close(ended); <-gone }
}

func (m *memory) most() map[string]int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.held
}

func residentMiB(pid int) int {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0 // it has just ended
	}
	lines := strings.Split(string(status), "\n")
	i := slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "VmRSS:") })
	if i < 0 {
		return 0
	}
	kib, _ := strconv.Atoi(strings.Fields(lines[i])[1])
	return kib >> 10
}
