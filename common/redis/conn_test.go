package redis

import (
	"io"
	"net"
	"testing"
	"time"
)

// TestAnAnswerThatHasArrivedIsRead: a process that was stopped, or starved, finds its deadline over and the answer there. That is heard,
// and what has not come is not waited for much longer.
func TestAnAnswerThatHasArrivedIsRead(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	link, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	c := &conn{Conn: link}
	defer c.Close()
	if _, err := io.WriteString(server, ":1\r\n:2\r\n:"); err != nil {
		t.Fatal(err)
	}
	time.Sleep(10 * time.Millisecond) // for the kernel to take it there
	if err := c.SetDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.read(); err != nil {
			t.Errorf("what has arrived: %v", err)
		}
	}
	start := time.Now()
	if _, err := c.read(); !timedOut(err) {
		t.Errorf("what has not: %v", err)
	}
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("what has not was waited for, for %v", took)
	}
}
