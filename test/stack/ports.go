package stack

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// The fixed ports: 5snn is the public door, 6snn the internal door of machine nn, 7snn the Redis of shard nn; s is 1 for
// order, 2 for stock, 3 for payment. 8000 is the gateway. The original's ports (5000, 5001, 6379) are left alone.
const (
	fixedPublic    = 5100
	fixedInternal  = 6100
	fixedRedis     = 7100
	fixedGateway   = 8000
	fixedStep      = 100
	maxPerService  = fixedStep - 1
	lowestFreePort = 10000
)

// ports gives each part its ports, fixed or free.
type ports struct {
	fixed bool
	given []int
}

func (p *ports) take(fixed int) (int, error) {
	if p.fixed {
		return fixed, nil
	}
	return p.free()
}

// free finds a port that nobody listens on, below the range from which the kernel takes the ports of outgoing
// connections: there, a part that is down for a moment could lose its port to any of them.
func (p *ports) free() (int, error) {
	high := 32768 // Linux' own default
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		if _, err := fmt.Sscan(string(b), &high); err != nil {
			return 0, fmt.Errorf("reading the range of outgoing ports: %w", err)
		}
	}
	for range 1000 {
		port := 0 // the kernel's choice, where it left no room below its range
		if high > lowestFreePort+2000 {
			port = lowestFreePort + rand.IntN(high-lowestFreePort)
		}
		l, err := net.Listen("tcp", loopback(port))
		if err != nil {
			continue
		}
		port = l.Addr().(*net.TCPAddr).Port
		l.Close()
		if !slices.Contains(p.given, port) {
			p.given = append(p.given, port)
			return port, nil
		}
	}
	return 0, errors.New("no free port found on 127.0.0.1")
}

func loopback(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// portOf is the port of an address that loopback made.
func portOf(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// TakenError says which of the ports that were wanted are taken, one line each.
type TakenError struct{ Lines []string }

func (e *TakenError) Error() string { return strings.Join(e.Lines, "\n") }

// checkFree tries every port before anything is started.
func checkFree(parts []*part) error {
	var taken TakenError
	for _, p := range parts {
		for _, door := range p.doors {
			port := portOf(door.addr)
			l, err := net.Listen("tcp", door.addr)
			switch {
			case err == nil:
				l.Close()
			case errors.Is(err, syscall.EADDRINUSE):
				taken.Lines = append(taken.Lines, fmt.Sprintf("port %s (%s, %s) is taken%s", port, p.name, door.what, by(port)))
			default:
				taken.Lines = append(taken.Lines, fmt.Sprintf("port %s (%s, %s) cannot be used: %v", port, p.name, door.what, err))
			}
		}
	}
	if taken.Lines != nil {
		return &taken
	}
	return nil
}

// by names the processes that listen on a port, as far as /proc shows them to this user: " by nginx (pid 12)".
func by(port string) string {
	number, err := strconv.Atoi(port)
	if err != nil {
		return ""
	}
	listener := fmt.Sprintf(":%04X", number)
	sockets := map[string]bool{}
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		b, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			f := strings.Fields(line) // sl local remote state ... inode is the tenth; state 0A is LISTEN
			if len(f) > 9 && f[3] == "0A" && strings.HasSuffix(f[1], listener) {
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
