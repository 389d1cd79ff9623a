package stack_test

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"checkout/test/stack"
)

// TestTheGatewayLetsAllInBeforeItWorks has callers come while the gateway is stopped. When it goes on, whoever waits at its door is let in
// before the first of them is answered: so that the kernel's queue does not overflow by work, however much there is.
func TestTheGatewayLetsAllInBeforeItWorks(t *testing.T) {
	const come = 2000
	s := start(t, stack.Config{})
	addr := strings.TrimPrefix(s.Gateway(), "http://")
	must(t, s.Pause("nginx"))
	answered := make(chan error, come)
	for range come {
		conn, err := net.DialTimeout("tcp", addr, deadline)
		must(t, err)
		t.Cleanup(func() { conn.Close() })
		_, err = io.WriteString(conn, "GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n") // nginx answers it itself, at once
		must(t, err)
		go func() {
			_, err := bufio.NewReader(conn).ReadByte()
			answered <- err
		}()
	}
	for begun := time.Now(); waiting(t, addr) < come; time.Sleep(time.Millisecond) {
		if time.Since(begun) > deadline {
			t.Fatalf("%d wait at the door, of %d", waiting(t, addr), come)
		}
	}
	must(t, s.Resume("nginx"))
	must(t, <-answered)
	if left := waiting(t, addr); left > 0 {
		t.Errorf("one is answered while %d still wait at the door", left)
	}
	for range come - 1 {
		must(t, <-answered)
	}
}

// waiting is how many connections to addr the kernel has made that nobody has accepted yet.
func waiting(t *testing.T, addr string) int64 {
	t.Helper()
	const listens = "0A"
	for _, f := range tcpTable(t) {
		if f[1] == inTable(addr) && f[3] == listens {
			_, queue, _ := strings.Cut(f[4], ":")
			n, err := strconv.ParseInt(queue, 16, 64)
			must(t, err)
			return n
		}
	}
	t.Fatalf("nobody listens on %s", addr)
	return 0
}
