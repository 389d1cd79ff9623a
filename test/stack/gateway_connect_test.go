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

// TestTheGatewayKnocksTwice loses the first SYN that the gateway sends to a machine: the kernel repeats it after a second, and the gateway must
// wait for that, where there is no other machine. It must wait as long where it is late itself to see that it is connected.
func TestTheGatewayKnocksTwice(t *testing.T) {
	s := start(t, stack.Config{})
	must(t, s.Kill("stock-1"))
	addr := strings.TrimPrefix(s.PublicURLs("stock")[0], "http://")
	door := listenForOne(t, addr)
	first, err := net.DialTimeout("tcp", addr, deadline) // takes the only place in the queue, so that the kernel drops the SYN of the next
	must(t, err)
	t.Cleanup(func() { first.Close() })
	answered := make(chan *http.Response, 1)
	go func() {
		defer close(answered)
		resp, _ := send(t, s, "GET /stock/ HTTP/1.1\r\nHost: x\r\n\r\n")
		answered <- resp
	}()
	for begun := time.Now(); !knocking(t, addr); time.Sleep(time.Millisecond) {
		if time.Since(begun) > deadline {
			t.Fatal("the gateway does not try to connect")
		}
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "{}") })}
	go server.Serve(door)
	t.Cleanup(func() { server.Close() })
	if resp := <-answered; resp == nil || resp.StatusCode != http.StatusOK {
		t.Errorf("after a SYN that was lost: %v", resp)
	}
}

// listenForOne listens where one connection may wait to be accepted, not two.
func listenForOne(t *testing.T, addr string) net.Listener {
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

// knocking tells whether a SYN to addr has been sent that is not answered.
func knocking(t *testing.T, addr string) bool {
	t.Helper()
	const synSent = "02"
	for _, f := range tcpTable(t) {
		if f[2] == inTable(addr) && f[3] == synSent {
			return true
		}
	}
	return false
}

// tcpTable is the kernel's table of TCP connections: https://docs.kernel.org/networking/proc_net_tcp.html
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

// inTable is an address as the table writes it.
func inTable(addr string) string {
	at := netip.MustParseAddrPort(addr)
	ip := at.Addr().As4()
	return fmt.Sprintf("%08X:%04X", binary.NativeEndian.Uint32(ip[:]), at.Port())
}
