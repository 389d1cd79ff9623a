package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// spent is the processor time that the system has spent so far.
func (s *system) spent() time.Duration {
	const tick = 10 * time.Millisecond // of /proc/pid/stat
	var all time.Duration
	for _, p := range s.Processes() {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.PID))
		if err != nil {
			continue // it has just ended
		}
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		for _, field := range fields[11:13] { // in user mode, in the kernel
			n, _ := strconv.Atoi(field)
			all += time.Duration(n) * tick
		}
	}
	return all
}

// memory is the most that each part has held, as far as it was seen.
type memory struct {
	mu   sync.Mutex
	held map[string]int // MiB
}

func (s *system) watchMemory() (m *memory, stop func()) {
	m = &memory{held: map[string]int{}}
	ended, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		for tick := time.NewTicker(200 * time.Millisecond); ; {
			now := map[string]int{}
			for _, p := range s.Processes() {
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
