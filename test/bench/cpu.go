package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/prometheus/procfs"

	"checkout/test/stack"
)

// tick is the unit of processor times in /proc/<pid>/stat, 1/USER_HZ. USER_HZ is 100 on every Linux that Go supports;
// see proc(5).
const tick = time.Second / 100

// cpu is processor time in user mode and in system mode.
type cpu struct{ user, system time.Duration }

func (c cpu) total() time.Duration { return c.user + c.system }
func (c cpu) plus(o cpu) cpu       { return cpu{c.user + o.user, c.system + o.system} }

// usage is processor time by kind of process: nginx, order, redis-order, … The kind "generator" is this process.
type usage map[string]cpu

const generator = "generator"

// processKinds are the kinds of server processes of this project, in the order of the columns of the report.
var processKinds = []string{"nginx", "order", "stock", "payment", "redis-order", "redis-stock", "redis-payment"}

// add adds another usage to u.
func (u usage) add(other usage) {
	for kind, c := range other {
		u[kind] = u[kind].plus(c)
	}
}

// servers returns the processor time of all processes except the generator. It returns 0 if the processes are unknown.
func (u usage) servers() (sum cpu) {
	for kind, c := range u {
		if kind != generator {
			sum = sum.plus(c)
		}
	}
	return sum
}

// processTime is the processor time of a process since its start, with all threads and exited children.
type processTime struct {
	stack.Process
	found bool
	start uint64 // distinguishes the process from a later process with the same PID
	cpu   cpu
}

// processTimes are the times of a list of processes, in the order of the list. The last one is this process.
type processTimes []processTime

func readProcessTimes(processes []stack.Process) (processTimes, error) {
	var all processTimes
	for _, p := range append(slices.Clip(processes), stack.Process{Name: generator, PID: os.Getpid()}) {
		stat, err := stat(p.PID)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			all = append(all, processTime{Process: p})
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read processor time of %s: %w", p.Name, err)
		}
		all = append(all, processTime{p, true, stat.Starttime, cpu{
			user:   time.Duration(int(stat.UTime)+stat.CUTime) * tick,
			system: time.Duration(int(stat.STime)+stat.CSTime) * tick,
		}})
	}
	return all, nil
}

// since returns the processor time that the same processes have used after an earlier reading. If processes have
// exited, it returns only the time of the load generator (this process), and the names of the exited processes.
func (t processTimes) since(before processTimes) (u usage, exited []string) {
	u = usage{}
	for i, p := range t {
		b := before[i]
		if !b.found || !p.found || b.start != p.start {
			exited = append(exited, fmt.Sprintf("%s (PID %d)", p.Name, p.PID))
			continue
		}
		kind := processKind(p.Name)
		u[kind] = u[kind].plus(cpu{p.cpu.user - b.cpu.user, p.cpu.system - b.cpu.system})
	}
	if exited != nil {
		u = u.onlyGenerator()
	}
	return u, exited
}

func (u usage) onlyGenerator() usage { return usage{generator: u[generator]} }

// servers returns the processor time of all processes except the generator.
func (t processTimes) servers() (sum time.Duration) {
	for _, p := range t[:len(t)-1] {
		sum += p.cpu.total()
	}
	return sum
}

func stat(pid int) (procfs.ProcStat, error) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return procfs.ProcStat{}, err
	}
	return p.Stat()
}

// peakMemory returns the peak resident size in bytes, by kind of process. If a kind has several processes, the largest
// process counts.
func peakMemory(processes []stack.Process) (map[string]uint64, error) {
	peak := map[string]uint64{}
	for _, p := range processes {
		process, err := procfs.NewProc(p.PID)
		if err != nil {
			continue // the process has exited
		}
		status, err := process.NewStatus()
		if err != nil {
			return nil, fmt.Errorf("read memory of %s: %w", p.Name, err)
		}
		kind := processKind(p.Name)
		peak[kind] = max(peak[kind], status.VmHWM)
	}
	return peak, nil
}

// processKind returns the name of a component without the numbers: "redis-order" for "redis-order-0".
func processKind(name string) string {
	for i := strings.LastIndexByte(name, '-'); i >= 0; i = strings.LastIndexByte(name, '-') {
		if _, err := strconv.Atoi(name[i+1:]); err != nil {
			break
		}
		name = name[:i]
	}
	return name
}

// hostCPU is the time of all processors of this host since the host started.
type hostCPU struct{ busy, idle time.Duration }

// readHostCPU reads /proc/stat. The time "steal", which the hypervisor gave to other guests, counts as busy.
func readHostCPU() (hostCPU, error) {
	root, err := procfs.NewDefaultFS()
	if err != nil {
		return hostCPU{}, err
	}
	stat, err := root.Stat()
	if err != nil {
		return hostCPU{}, fmt.Errorf("read processor time of the host: %w", err)
	}
	t := stat.CPUTotal
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return hostCPU{
		busy: seconds(t.User + t.Nice + t.System + t.IRQ + t.SoftIRQ + t.Steal),
		idle: seconds(t.Idle + t.Iowait),
	}, nil
}
