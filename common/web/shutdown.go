package web

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Timeouts of a shutdown. See docs/adr/0016-gateway-timeouts-and-shutdown.md.
const (
	// handshakeTimeout is enough for TCP handshakes in progress to complete.
	handshakeTimeout = 100 * time.Millisecond
	// gatewayCloseTimeout exceeds the 2 s after which the gateway closes an idle connection (keepalive_timeout in
	// upstreams.conf).
	gatewayCloseTimeout = 3 * time.Second
	// peerCloseTimeout gives each peer time for its next health check. The response asks the peer to close the
	// connection.
	peerCloseTimeout = 1500 * time.Millisecond
	// inFlightTimeout exceeds the 12 s that a checkout can take.
	inFlightTimeout = 14 * time.Second

	connectionPollInterval = 10 * time.Millisecond
)

// closeTimeouts are the timeouts of the shutdown of one server: the constants above, unless a test changes them.
type closeTimeouts struct{ handshake, gateway, peers time.Duration }

func newCloseTimeouts() closeTimeouts {
	return closeTimeouts{handshakeTimeout, gatewayCloseTimeout, peerCloseTimeout}
}

// shutdown stops the public port and then the internal port without losing a request. If it closed an idle connection,
// a request in transit could be lost, and the client could not find out whether it was executed. So shutdown first
// waits for the clients to close their connections: each response, even a rejection, has the header "Connection:
// close", and the gateway closes idle connections itself. The internal port closes last, because requests in flight on
// other instances may need it.
func (s *Server) shutdown(publicListener net.Listener, public, internal *http.Server) error {
	// First stop new connections. Otherwise, a client could close its connection and open another one.
	if err := dropNewConnections(publicListener); err != nil {
		slog.Warn("shutdown: failed to make the kernel ignore new connection attempts; "+
			"closing the listener may reset handshakes in progress", "error", err)
	}
	time.Sleep(s.closing.handshake)
	publicListener.Close()
	s.draining.Store(true)
	start := time.Now()
	s.publicConns.awaitClosed(start.Add(s.closing.gateway))
	s.internalConns.awaitClosed(start.Add(s.closing.peers))
	ctx, cancel := context.WithTimeout(context.Background(), inFlightTimeout)
	defer cancel()
	err := public.Shutdown(ctx)
	if errors.Is(err, net.ErrClosed) {
		err = nil // the listener was closed above
	}
	return errors.Join(err, internal.Shutdown(ctx))
}

// connections counts the open connections of a listener.
type connections struct{ open atomic.Int64 }

// track is the ConnState hook of an http.Server.
func (c *connections) track(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

// awaitClosed waits until no connection is open, or until the deadline.
func (c *connections) awaitClosed(deadline time.Time) {
	for c.open.Load() > 0 && time.Now().Before(deadline) {
		time.Sleep(connectionPollInterval)
	}
}
