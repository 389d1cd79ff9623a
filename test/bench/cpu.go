package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"checkout/test/stack"
)

// tick is the unit of the times in /proc/<pid>/stat: USER_HZ, 100 on every Linux that Go runs on (proc(5), times(2)).
const tick = time.Second / 100

// cpu is processor time.
type cpu struct{ user, system time.Duration }

func (c cpu) total() time.Duration { return c.user + c.system }
func (c cpu) plus(o cpu) cpu       { return cpu{c.user + o.user, c.system + o.system} }
func (c cpu) minus(o cpu) cpu      { return cpu{c.user - o.user, c.system - o.system} }

// account is processor time by kind of process: "nginx", "order", "redis-order" …
type account map[string]cpu

// charge adds what was used between two readings.
func (a account) charge(before, after account) {
	for kind, used := range after {
		a[kind] = a[kind].plus(used.minus(before[kind]))
	}
}

func (a account) total() cpu {
	var sum cpu
	for _, used := range a {
		sum = sum.plus(used)
	}
	return sum
}

// readAccount reads what processes have used since they began, with all their threads, and with the children that they
// have waited for. A process that has just ended is in its parent's time.
func readAccount(processes []stack.Process) (account, error) {
	a := account{}
	for _, p := range processes {
		b, err := os.ReadFile("/proc/" + strconv.Itoa(p.PID) + "/stat")
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue
		}
		if err != nil {
			return nil, err
		}
		used, err := parseStat(b)
		if err != nil {
			return nil, fmt.Errorf("process %d: %w", p.PID, err)
		}
		a[kindOf(p.Name)] = a[kindOf(p.Name)].plus(used)
	}
	return a, nil
}

// parseStat reads utime, stime, cutime and cstime, fields 14 to 17, of /proc/<pid>/stat.
func parseStat(b []byte) (cpu, error) {
	// The second field is the program's name in parentheses, and may hold anything; the third begins after it.
	fields := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
	const first, last = 14 - 3, 17 - 3
	if len(fields) <= last {
		return cpu{}, fmt.Errorf("stat has %d fields after the name", len(fields))
	}
	var ticks [4]time.Duration
	for i := range ticks {
		n, err := strconv.ParseInt(fields[first+i], 10, 64)
		if err != nil {
			return cpu{}, fmt.Errorf("field %d of stat: %w", 14+i, err)
		}
		ticks[i] = time.Duration(n) * tick
	}
	return cpu{user: ticks[0] + ticks[2], system: ticks[1] + ticks[3]}, nil
}

// kindOf is a part's name without its number: "redis-order" of "redis-order-0".
func kindOf(name string) string {
	if i := strings.LastIndexByte(name, '-'); i >= 0 {
		if _, err := strconv.Atoi(name[i+1:]); err == nil {
			return name[:i]
		}
	}
	return name
}

// own is what this process has used.
func own() (cpu, error) {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return cpu{}, fmt.Errorf("getrusage: %w", err)
	}
	return cpu{user: time.Duration(usage.Utime.Nano()), system: time.Duration(usage.Stime.Nano())}, nil
}

// machine is what all processors together did since the start.
type machine struct{ busy, idle time.Duration }

func readMachine() (machine, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machine{}, err
	}
	return parseMachine(b)
}

// parseMachine reads the first line of /proc/stat: user, nice, system, idle, iowait, irq, softirq, steal. What the
// hypervisor has stolen counts as busy: it was not there to be used.
func parseMachine(b []byte) (machine, error) {
	line, _, _ := strings.Cut(string(b), "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return machine{}, fmt.Errorf("the first line of stat is %q", line)
	}
	var m machine
	for i, field := range fields[1:9] {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return machine{}, fmt.Errorf("field %d of the first line of stat: %w", i+1, err)
		}
		if i == 3 || i == 4 {
			m.idle += time.Duration(n) * tick
		} else {
			m.busy += time.Duration(n) * tick
		}
	}
	return m, nil
}
