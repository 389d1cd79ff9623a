package web

import (
	"context"
	"errors"
	"net"
	"syscall"
)

// caller is the connection by which requests come, one after the other.
type caller struct {
	conn syscall.RawConn
	look func(fd uintptr) // made once: Waits is on the hot path
	left bool             // what look has seen
}

type callerKey struct{}

// WithClientConn keeps a connection in the context of the requests that come by it, for Waits.
func WithClientConn(ctx context.Context, conn net.Conn) context.Context {
	open, ok := conn.(syscall.Conn)
	if !ok {
		return ctx
	}
	raw, err := open.SyscallConn()
	if err != nil {
		return ctx
	}
	c := &caller{conn: raw}
	c.look = func(fd uintptr) {
		var peeked [1]byte
		n, _, err := syscall.Recvfrom(int(fd), peeked[:], syscall.MSG_PEEK)
		c.left = n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN) && !errors.Is(err, syscall.EINTR)
	}
	return context.WithValue(ctx, callerKey{}, c)
}

// Waits tells whether whoever has sent a request still waits for its answer, as far as this machine's kernel has heard: one whose
// connection is not known does. It is for the request's own handler. The request's context ends when its caller leaves, too, but a
// little later: a process that was stopped, and wakes up, would have begun what nobody waits for any more.
func ClientConnected(ctx context.Context) bool {
	c, ok := ctx.Value(callerKey{}).(*caller)
	return !ok || c.conn.Control(c.look) == nil && !c.left
}
