// Package redis is a client of one shard: one Redis server, three Redis servers with the same data, or an engine. It
// batches the commands of concurrent callers, runs scripts and checks the shard's health.
//
// Scripts and reads of concurrent callers share round trips and fsyncs (pipeline.go). Health checks and other rare
// commands never wait behind a full batch, because they use a second connection. The package implements RESP itself and
// uses go-redis only to dial, with or without TLS. See docs/adr/0001-own-redis-pipeline.md.
package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"os"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"checkout/common/env"
)

// Timeouts of a shard. A write that times out has an unknown outcome. The caller decides whether to retry the write.
const (
	dialTimeout = 500 * time.Millisecond
	// replyTimeout bounds one batch with its trailer, and separately trailer.fallback. A shard that exceeds it becomes
	// unhealthy, so that later calls fail fast.
	replyTimeout = 700 * time.Millisecond
	// checkTimeout bounds INFO for the metrics, the commands of Unverified.Do, and the measurement of a clock.
	checkTimeout = time.Second
)

// dialer returns a function that opens a connection to addr. The connection is authenticated and named, and uses the
// configured database.
func dialer(addr string, c env.Redis, name ClientName) func(context.Context) (*conn, error) {
	return dialerOf(addr, "", c, name)
}

// dialerOf is like dialer. With TLS, the server's certificate must be valid for host, or for the host of addr if host
// is "".
func dialerOf(addr, host string, c env.Redis, name ClientName) func(context.Context) (*conn, error) {
	options := &goredis.Options{Addr: addr, DialTimeout: dialTimeout}
	if c.TLS {
		options.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: host}
	}
	dial := goredis.NewDialer(options)
	return func(ctx context.Context) (*conn, error) {
		socket, err := dial(ctx, "tcp", addr)
		if err != nil {
			return nil, err
		}
		conn := newConn(socket)
		if err := conn.authenticate(c, name); err != nil {
			return nil, errors.Join(err, socket.Close())
		}
		return conn, nil
	}
}

// timedOut reports whether an error is a timeout.
func timedOut(err error) bool {
	var timeout net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}
