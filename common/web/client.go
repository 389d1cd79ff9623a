package web

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// clientConn is the connection of a client. It carries one request at a time, so the fields need no lock.
type clientConn struct {
	raw    syscall.RawConn
	peek   func(fd uintptr) // sets the field closed; kept here so that ClientConnected does not allocate a closure
	closed bool
}

type clientConnKey struct{}

// WithClientConn returns a context that carries conn for ClientConnected. Use this function as the ConnContext of an
// http.Server.
func WithClientConn(ctx context.Context, conn net.Conn) context.Context {
	socket, ok := conn.(syscall.Conn)
	if !ok {
		return ctx
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return ctx
	}
	c := &clientConn{raw: raw}
	c.peek = func(fd uintptr) {
		var buffer [1]byte
		n, _, err := syscall.Recvfrom(int(fd), buffer[:], syscall.MSG_PEEK)
		endOfStream := n == 0 && err == nil
		failed := err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
		c.closed = endOfStream || failed
	}
	return context.WithValue(ctx, clientConnKey{}, c)
}

// ClientConnected reports whether the connection of the client is still open. It returns true if ctx has no connection.
// Call ClientConnected only in the handler of the request.
//
// Do not check ctx.Err instead: the context of the request ends too late. A process that resumes after a pause could
// start work for a client that disconnected during the pause.
func ClientConnected(ctx context.Context) bool {
	c, ok := ctx.Value(clientConnKey{}).(*clientConn)
	return !ok || c.raw.Control(c.peek) == nil && !c.closed
}
