package stack_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestGatewayWaitsForASYNRetry checks that a request succeeds although the gateway's first SYN is lost. The kernel
// sends the SYN again after 1 s, and the gateway must wait for the second SYN.
func TestGatewayWaitsForASYNRetry(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("stock-1"))
	const tries = 20
	for range tries {
		if inTime, resp := loseSYN(t, s); inTime {
			if resp == nil || resp.StatusCode != http.StatusOK {
				t.Errorf("request after a lost SYN: got %v, want 200", resp)
			}
			return
		}
	}
	t.Errorf("in each of %d tries, the host was too slow to accept the second SYN", tries)
}

// loseSYN sends a request for which the gateway's first SYN is lost, and returns the response. inTime reports whether
// the backlog had room before the second SYN. If not, the gateway may time out before the third SYN, so the response
// does not count.
func loseSYN(t *testing.T, s *stack.Stack) (inTime bool, resp *http.Response) {
	t.Helper()
	const secondSYN = 800 * time.Millisecond // the kernel sends the second SYN after 1 s; 200 ms are a safety margin
	addr := hostPort(s.PublicURLs("stock")[0])
	listener := listenBacklogOne(t, addr)
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, "{}")
	})}
	defer server.Close()
	defer listener.Close()
	// The first connection fills the backlog. So the kernel drops the SYN of the next connection.
	first, err := net.DialTimeout("tcp", addr, testTimeout)
	must(t, err)
	defer first.Close()
	received, begun := make(chan *http.Response, 1), time.Now()
	go func() {
		defer close(received)
		resp, _ := send(t, s, "GET /stock/ HTTP/1.1\r\nHost: x\r\n\r\n")
		received <- resp
	}()
	eventually(t, "the gateway tries to connect", func() bool { return connecting(t, addr) || len(received) > 0 })
	accepted, err := listener.Accept() // now the backlog has room
	must(t, err)
	accepted.Close()
	inTime = time.Since(begun) < secondSYN
	go server.Serve(listener)
	return inTime, <-received
}

// listenBacklogOne listens on addr. The backlog has room for one connection.
func listenBacklogOne(t *testing.T, addr string) net.Listener {
	t.Helper()
	at := netip.MustParseAddrPort(addr)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	file := os.NewFile(uintptr(fd), addr)
	defer file.Close()
	must(t, syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1))
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()}))
	must(t, syscall.Listen(fd, 0))
	l, err := net.FileListener(file)
	must(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

// connecting reports whether a SYN to addr has no reply yet.
func connecting(t *testing.T, addr string) bool {
	t.Helper()
	const synSent = "02"
	for _, f := range tcpTable(t) {
		if f[2] == hexAddr(addr) && f[3] == synSent {
			return true
		}
	}
	return false
}

// tcpTable returns the kernel's table of TCP connections: https://docs.kernel.org/networking/proc_net_tcp.html
func tcpTable(t *testing.T) (lines [][]string) {
	t.Helper()
	table, err := os.ReadFile("/proc/net/tcp")
	must(t, err)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 4 {
			lines = append(lines, f)
		}
	}
	return lines
}

// hexAddr returns an address in the format of tcpTable.
func hexAddr(addr string) string {
	at := netip.MustParseAddrPort(addr)
	ip := at.Addr().As4()
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), at.Port())
}
