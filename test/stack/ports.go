package stack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// The fixed ports: 5snn is the public port, 6snn the internal port and 8snn the monitoring port of instance nn, 7snn
// the Redis of shard nn. s is 1 for order, 2 for stock, 3 for payment. The gateway has 8000. Nothing uses the common
// ports 5000 to 5002 and 6379.
const (
	fixedPublic    = 5100
	fixedInternal  = 6100
	fixedRedis     = 7100
	fixedMetrics   = 8100
	fixedGateway   = 8000
	fixedStep      = 100
	maxPerService  = fixedStep - 1
	lowestFreePort = 10000
)

// ports assigns fixed or free ports to listeners. After the first failure, the method addr sets the field err
// and returns "".
type ports struct {
	fixed    bool
	reserved []net.Listener // one abstract Unix socket for each free port
	err      error
}

// addr returns the host:port of a listener: the given fixed port, or a free port.
func (p *ports) addr(fixed int) string {
	if p.fixed {
		return loopback(fixed)
	}
	if p.err != nil {
		return ""
	}
	var port int
	if port, p.err = p.free(); p.err != nil {
		return ""
	}
	return loopback(port)
}

// free returns an unused port and reserves the port until close, even while its component is stopped. Outgoing
// connections do not take the port, because it is below the kernel's range for outgoing connections. Other stacks on
// this host do not take the port, because the reservation is an abstract Unix socket with the port in its name. If few
// ports are below the range, the kernel chooses any port.
func (p *ports) free() (int, error) {
	high := 32768 // the default of Linux
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(b), &high); err != nil {
			return 0, fmt.Errorf("parse ip_local_port_range: %w", err)
		}
	}
	for range 1000 {
		port := 0 // 0: the kernel chooses, because there are few ports below its range
		if high > lowestFreePort+2000 {
			port = lowestFreePort + rand.IntN(high-lowestFreePort)
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		if p.reserve(port) {
			return port, nil
		}
	}
	return 0, errors.New("find a free port on 127.0.0.1: none in 1000 tries")
}

// reserve reserves a port until close. It returns false if a stack on this host has already reserved the
// port.
func (p *ports) reserve(port int) bool {
	reservation, err := net.Listen("unix", "@checkout-port-"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	p.reserved = append(p.reserved, reservation)
	return true
}

// close ends the reservations.
func (p *ports) close() error {
	var errs []error
	for _, reservation := range p.reserved {
		errs = append(errs, reservation.Close())
	}
	p.reserved = nil
	return errors.Join(errs...)
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// portOf returns the port of a host:port address.
func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// TakenError lists the ports that are in use, one per line.
type TakenError struct{ Lines []string }

func (e *TakenError) Error() string { return strings.Join(e.Lines, "\n") }

// checkFree returns a TakenError unless all ports are free.
func checkFree(components []*component) error {
	var taken TakenError
	for _, c := range components {
		for _, listener := range c.listeners {
			port := portOf(listener.addr)
			l, err := net.Listen("tcp", listener.addr)
			if err == nil {
				l.Close()
				continue
			}
			reason := "cannot be used: " + err.Error()
			if errors.Is(err, syscall.EADDRINUSE) {
				reason = "is in use" + byProcess(port)
			}
			taken.Lines = append(taken.Lines, fmt.Sprintf("port %s (%s, %s) %s", port, c.name, listener.purpose, reason))
		}
	}
	if taken.Lines != nil {
		return &taken
	}
	return nil
}

// byProcess describes the process that listens on a port, such as " by nginx (pid 12)". It returns "" if /proc does not
// show the process.
func byProcess(port string) string {
	number, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	local := fmt.Sprintf(":%04X", number)
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line) // sl local remote state …; field 9 is the inode, state 0A is LISTEN
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], local) {
				sockets["socket:["+f[9]+"]"] = true
			}
		}
	}
	fds, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	for _, fd := range fds {
		if target, err := os.Readlink(fd); err == nil && sockets[target] {
			pid := strings.Split(fd, "/")[2]
			comm, _ := os.ReadFile("/proc/" + pid + "/comm")
			return fmt.Sprintf(" by %s (pid %s)", strings.TrimSpace(string(comm)), pid)
		}
	}
	return ""
}
