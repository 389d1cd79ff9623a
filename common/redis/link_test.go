package redis_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// link is a proxy in front of a server. It can lose replies: commands arrive and run, but the client gets no reply.
type link struct {
	addr   string
	losing atomic.Bool
}

func newLink(t *testing.T, server string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: listener.Addr().String()}
	var conns sync.WaitGroup
	t.Cleanup(func() {
		listener.Close()
		conns.Wait()
	})
	conns.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			conns.Go(func() { l.forward(client, server) })
		}
	})
	return l
}

// forward copies bytes in both directions until one side closes its connection, or a reply must be lost.
func (l *link) forward(client net.Conn, address string) {
	defer client.Close()
	server, err := net.Dial("tcp", address)
	if err != nil {
		return
	}
	defer server.Close()
	var sending sync.WaitGroup
	sending.Go(func() {
		io.Copy(server, client)
		server.Close()
	})
	defer sending.Wait()
	defer client.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := server.Read(buffer)
		if err != nil || l.losing.Load() {
			return
		}
		if _, err := client.Write(buffer[:n]); err != nil {
			return
		}
	}
}

func (l *link) loseReplies(on bool) { l.losing.Store(on) }
