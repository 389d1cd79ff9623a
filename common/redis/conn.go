package redis

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"checkout/common/env"
)

// conn is a connection to a shard.
type conn struct {
	net.Conn
	buffer []byte
	unread []byte    // the part of buffer that is not parsed yet
	used   time.Time // when the connection last became idle

	lineage *lineage // the shard's lineage when the connection was verified
	runID   string   // identifies the process of the server

	node  int   // index of the node, if the shard is replicated
	epoch int64 // epoch of the primary, if the shard is replicated
	// fewCopies is true if no replica has confirmed the last batch of the shard. All connections of the shard share
	// this flag. The pointer is nil if the shard is not replicated.
	fewCopies *atomic.Bool

	engine bool // the server is a node of an engine
	moved  bool // the server of an engine has replied that it is not the primary, or that it cannot serve now
}

const (
	readSize   = 32 << 10 // minimum free bytes in the buffer for one read
	maxReply   = 64 << 20 // bytes
	keptBuffer = 1 << 20  // bytes; a larger buffer is not reused
	// graceAfterDeadline is the extra time to read a reply after the deadline. If this process was paused, the deadline
	// may have passed although the reply has arrived.
	graceAfterDeadline = 20 * time.Millisecond
)

func newConn(socket net.Conn) *conn { return &conn{Conn: socket, used: time.Now()} }

// authenticate sends the credentials, selects the database and names the connection.
func (c *conn) authenticate(config env.Redis, name ClientName) error {
	var commands [][]any
	switch {
	case config.Username != "":
		commands = append(commands, []any{"AUTH", config.Username, config.Password})
	case config.Password != "":
		commands = append(commands, []any{"AUTH", config.Password})
	}
	if config.DB != 0 {
		commands = append(commands, []any{"SELECT", config.DB})
	}
	commands = append(commands, []any{"CLIENT", "SETNAME", name.String()})
	for _, args := range commands {
		if err := c.write(appendCommand(nil, args...), time.Now().Add(replyTimeout)); err != nil {
			return err
		}
		reply, err := c.read()
		if err != nil {
			return err
		}
		if err := reply.err(); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	return nil
}

// write sends the bytes in out and sets the deadline for all replies.
func (c *conn) write(out []byte, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	_, err := c.Write(out)
	return err
}

// read returns the next reply.
func (c *conn) read() (value, error) {
	for {
		n, err := measure(c.unread)
		if err != nil {
			return value{}, err
		}
		if n > 0 {
			reply := parse(string(c.unread[:n]))
			c.moved = c.moved || c.engine && leaves(reply)
			if c.unread = c.unread[n:]; len(c.unread) == 0 {
				c.used = time.Now()
			}
			return reply, nil
		}
		if err := c.fill(); err != nil {
			return value{}, err
		}
	}
}

// fill reads more bytes into the buffer.
func (c *conn) fill() error {
	if len(c.unread) > maxReply {
		return fmt.Errorf("%w: longer than %d bytes", errReply, maxReply)
	}
	if len(c.unread) == 0 && cap(c.buffer) > keptBuffer {
		c.buffer = nil
	}
	if need := len(c.unread) + readSize; cap(c.buffer) < need {
		c.buffer = make([]byte, 2*need)
	}
	kept := copy(c.buffer[:cap(c.buffer)], c.unread)
	n, err := c.Read(c.buffer[kept:cap(c.buffer)])
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Now().Add(graceAfterDeadline)) == nil {
		n, err = c.Read(c.buffer[kept:cap(c.buffer)])
	}
	c.unread = c.buffer[:kept+n]
	if n > 0 {
		return nil
	}
	if err == nil {
		err = io.ErrNoProgress
	}
	return err
}

// stale reports whether the connection is unfit for another batch: it has unexpected bytes, or the server has closed
// it. Commands on a closed connection would have an unknown outcome. The socket is checked only if it was idle for at
// least the given time, because the check costs a system call. Session tickets of TLS 1.3 do not make a connection
// stale: they precede the first reply, so authenticate has read them.
func (c *conn) stale(idle time.Duration) bool {
	if len(c.unread) > 0 {
		return true
	}
	if time.Since(c.used) < idle {
		return false
	}
	socket := c.Conn
	if secured, ok := socket.(*tls.Conn); ok {
		socket = secured.NetConn()
	}
	raw, err := socket.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	stale := false
	err = raw.Control(func(fd uintptr) { // not raw.Read, which fails after the deadline of the last batch
		var peeked [1]byte
		n, _, err := syscall.Recvfrom(int(fd), peeked[:], syscall.MSG_PEEK)
		closed := n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN)
		stale = closed || n > 0 // with TLS, the bytes are probably the notice that the server closes the connection
	})
	return err != nil || stale
}
