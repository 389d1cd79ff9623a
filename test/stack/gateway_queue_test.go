package stack_test

import (
	"bufio"
	"strconv"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestGatewayAcceptsAllBeforeItResponds checks that the gateway accepts all pending connections before it sends the
// first response. Otherwise the kernel's backlog could overflow under load. The clients connect while the gateway
// is paused.
func TestGatewayAcceptsAllBeforeItResponds(t *testing.T) {
	const clients = 2000
	s := start(t, stack.Config{})
	addr := hostPort(s.Gateway())
	must(t, s.Pause("nginx"))
	received := make(chan error, clients)
	for range clients {
		conn := dial(t, s)
		write(t, conn, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n") // nginx itself responds to this path
		go func() {
			_, err := bufio.NewReader(conn).ReadByte()
			received <- err
		}()
	}
	eventually(t, "all connections are in the backlog", func() bool { return backlog(t, addr) >= clients })
	must(t, s.Resume("nginx"))
	must(t, <-received)
	if left := backlog(t, addr); left > 0 {
		t.Errorf("the gateway responds while the backlog has %d connections, want 0", left)
	}
	for range clients - 1 {
		must(t, <-received)
	}
}

// backlog returns the number of connections to addr that are established but not accepted.
func backlog(t *testing.T, addr string) int64 {
	t.Helper()
	const listen = "0A"
	for _, f := range tcpTable(t) {
		if f[1] == hexAddr(addr) && f[3] == listen {
			_, queue, _ := strings.Cut(f[4], ":")
			n, err := strconv.ParseInt(queue, 16, 64)
			must(t, err)
			return n
		}
	}
	t.Fatalf("nothing listens on %s", addr)
	return 0
}
