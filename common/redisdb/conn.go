package redisdb

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"
)

// conn is a connection to a shard that carries a pipeline.
type conn struct {
	net.Conn
	buffer []byte
	unread []byte // part of buffer: what has arrived and is not read
	used   time.Time
}

const (
	readRoom   = 32 << 10        // bytes asked of the network at a time
	idleFor    = time.Second / 2 // after which a connection is looked at before it is used: the shard may have hung up
	maxAnswer  = 64 << 20        // bytes
	keptBuffer = 1 << 20
)

// connect dials a shard as go-redis' options say, and introduces itself.
func connect(ctx context.Context, o *redis.Options) (*conn, error) {
	dialer := &net.Dialer{KeepAlive: 15 * time.Second}
	link, err := dialer.DialContext(ctx, "tcp", o.Addr)
	if err != nil {
		return nil, err
	}
	if o.TLSConfig != nil {
		config := o.TLSConfig.Clone()
		if config.ServerName == "" {
			config.ServerName, _, _ = net.SplitHostPort(o.Addr)
		}
		secured := tls.Client(link, config)
		if err := secured.HandshakeContext(ctx); err != nil {
			return nil, errors.Join(err, link.Close())
		}
		link = secured
	}
	c := &conn{Conn: link, used: time.Now()}
	if err := c.introduce(o); err != nil {
		return nil, errors.Join(err, link.Close())
	}
	return c, nil
}

// introduce says who we are and which database is meant.
func (c *conn) introduce(o *redis.Options) error {
	var hello [][]any
	switch {
	case o.Username != "":
		hello = append(hello, []any{"AUTH", o.Username, o.Password})
	case o.Password != "":
		hello = append(hello, []any{"AUTH", o.Password})
	}
	if o.DB != 0 {
		hello = append(hello, []any{"SELECT", o.DB})
	}
	for _, args := range hello {
		if err := c.write(appendCommand(nil, args...), time.Now().Add(replyTimeout)); err != nil {
			return err
		}
		answer, err := c.read()
		if err != nil {
			return err
		}
		if err := answer.refusal(); err != nil {
			return fmt.Errorf("%s: %w", args[0], err)
		}
	}
	return nil
}

// write sends everything; all answers must have come by the deadline.
func (c *conn) write(out []byte, deadline time.Time) error {
	if err := c.SetDeadline(deadline); err != nil {
		return err
	}
	_, err := c.Write(out)
	return err
}

// read returns the next answer.
func (c *conn) read() (value, error) {
	for {
		n, err := measure(c.unread)
		if err != nil {
			return value{}, err
		}
		if n > 0 {
			answer := parse(string(c.unread[:n]))
			if c.unread = c.unread[n:]; len(c.unread) == 0 {
				c.used = time.Now()
			}
			return answer, nil
		}
		if err := c.more(); err != nil {
			return value{}, err
		}
	}
}

// more waits for more bytes.
func (c *conn) more() error {
	if len(c.unread) > maxAnswer {
		return fmt.Errorf("an answer of more than %d bytes: %w", maxAnswer, errReply)
	}
	if len(c.unread) == 0 && cap(c.buffer) > keptBuffer {
		c.buffer = nil
	}
	if need := len(c.unread) + readRoom; cap(c.buffer) < need {
		c.buffer = make([]byte, 2*need)
	}
	kept := copy(c.buffer[:cap(c.buffer)], c.unread)
	n, err := c.Read(c.buffer[kept:cap(c.buffer)])
	if n == 0 && errors.Is(err, os.ErrDeadlineExceeded) && c.SetReadDeadline(time.Now().Add(lateBy)) == nil {
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

// stale tells whether a connection must not be used for another batch: because more was answered than was asked, or, where it was
// not used for a while, because the other side has hung up. What is sent on such a one is lost, and its sender could not know that.
func (c *conn) stale() bool {
	if len(c.unread) > 0 {
		return true
	}
	if time.Since(c.used) < idleFor {
		return false
	}
	link := c.Conn
	if secured, ok := link.(*tls.Conn); ok {
		link = secured.NetConn()
	}
	raw, err := link.(syscall.Conn).SyscallConn()
	if err != nil {
		return true
	}
	stale := false
	err = raw.Read(func(fd uintptr) bool {
		var peeked [1]byte
		n, _, err := syscall.Recvfrom(int(fd), peeked[:], syscall.MSG_PEEK)
		stale = n > 0 && c.Conn == link || n == 0 && err == nil || err != nil && !errors.Is(err, syscall.EAGAIN)
		return true
	})
	return err != nil || stale
}
