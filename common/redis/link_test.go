package redis_test

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"
)

// link is a proxy in front of a server. It can lose replies: commands arrive and run, but the client gets no reply. It
// can also edit replies, and connect new clients to another server.
type link struct {
	addr   string
	target atomic.Value // string: the address of the server
	losing atomic.Bool
	edit   atomic.Value // func([]byte) []byte: changes replies before the client gets them
}

func newLink(t *testing.T, server string) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{addr: listener.Addr().String()}
	l.target.Store(server)
	l.edit.Store(func(reply []byte) []byte { return reply })
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
			conns.Go(func() { l.forward(client, l.target.Load().(string)) })
		}
	})
	return l
}

// forward copies bytes in both directions until one side closes its connection. To lose a reply, forward closes both
// connections.
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
		if _, err := client.Write(l.edit.Load().(func([]byte) []byte)(buffer[:n])); err != nil {
			return
		}
	}
}

func (l *link) loseReplies(on bool) { l.losing.Store(on) }
