package stack

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"checkout/common/freeport"
)

// The fixed ports; s is 1 for order, 2 for stock, 3 for payment:
//   - instance nn: public port 5snn, internal port 6snn, monitoring port 8snn
//   - Redis of shard nn: 7snn
//   - keeper of a node of shard nn: 3snn, monitoring port 4snn
//   - gateway: 8000
//
// In a replicated shard, s is 3 greater for node 1, and 6 greater for node 2. Nothing uses the common ports 5000 to
// 5002 and 6379.
const (
	fixedKeeper        = 3100
	fixedKeeperMetrics = 4100
	fixedPublic        = 5100
	fixedInternal      = 6100
	fixedRedis         = 7100
	fixedMetrics       = 8100
	fixedGateway       = 8000
	fixedStep          = 100
	maxPerService      = fixedStep - 1
)

// ports assigns fixed or free ports to listeners. At the first failure, the method addr sets the field err. From then
// on, addr returns "".
type ports struct {
	fixed    bool
	reserved []freeport.Port // the free ports, reserved until close
	err      error
}

// assignPorts assigns the ports of all components.
func (s *Stack) assignPorts() error {
	ports := &s.ports
	ports.fixed = s.cfg.FixedPorts
	for i, service := range Services() {
		size, step := s.cfg.size(service), i*fixedStep
		for shard := range size.Shards {
			s.shards[service] = append(s.shards[service], s.newShard(service, shard, step))
		}
		for number := 1; number <= size.Instances; number++ {
			s.public[service] = append(s.public[service], ports.addr(fixedPublic+step+number))
			s.internal[service] = append(s.internal[service], ports.addr(fixedInternal+step+number))
			s.metrics[service] = append(s.metrics[service], ports.addr(fixedMetrics+step+number))
		}
	}
	if s.gateway = loopback(s.cfg.GatewayPort); s.cfg.GatewayPort == 0 {
		s.gateway = ports.addr(fixedGateway)
	}
	if ports.err == nil && hasIPv6() {
		s.gateway6 = net.JoinHostPort("::1", portOf(s.gateway))
	}
	return ports.err
}

// hasIPv6 reports whether this host has the loopback address of IPv6.
func hasIPv6() bool {
	l, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		return false
	}
	l.Close()
	return true
}

// addr returns the host:port of a listener: the given fixed port, or a free port.
func (p *ports) addr(fixed int) string {
	if p.fixed {
		return loopback(fixed)
	}
	if p.err != nil {
		return ""
	}
	var port freeport.Port
	if port, p.err = freeport.Reserve(); p.err != nil {
		return ""
	}
	p.reserved = append(p.reserved, port)
	return port.Addr()
}

// close ends the reservations.
func (p *ports) close() error {
	var errs []error
	for _, port := range p.reserved {
		errs = append(errs, port.Release())
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
