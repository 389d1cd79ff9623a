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

// shutdown stops the public and the internal port without losing a request. A server that closes an idle connection
// may lose a request in transit, and the client cannot find out whether the request was executed. So shutdown lets the
// clients close their connections: each response, even a rejection, has the header "Connection: close", and the
// gateway closes idle connections itself. Then shutdown closes the remaining connections. shutdown closes the internal
// port after the public port, because requests in flight on other instances may need the internal port. Serve closes
// the monitoring port after that.
func (s *Server) shutdown(publicListener net.Listener, public, internal *http.Server) error {
	// Close the listener first, so that clients cannot connect again after they have closed their connections.
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
