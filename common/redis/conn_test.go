package redis

import (
	"io"
	"net"
	"testing"
	"time"
)

// If the deadline passes while the process is paused, replies that have arrived are still read. For any other
// reply, read waits only graceAfterDeadline.
func TestReplyThatHasArrivedIsReadAfterTheDeadline(t *testing.T) {
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
	time.Sleep(10 * time.Millisecond) // until the kernel has delivered the replies
	if err := c.SetDeadline(time.Now().Add(-time.Second)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := c.read(); err != nil {
			t.Errorf("read a reply that has arrived: got %v, want success", err)
		}
	}
	start := time.Now()
	if _, err := c.read(); !timedOut(err) {
		t.Errorf("read a reply that has not arrived: got %v, want a timeout", err)
	}
	if took := time.Since(start); took > 500*time.Millisecond {
		t.Errorf("waited %v for a reply that has not arrived, want at most 500ms", took)
	}
}
