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

const (
	// arriveWithin is how long connections that have begun to arrive when the stop began may take: two ways through a network.
	arriveWithin = 100 * time.Millisecond
	// gatewayLeaves is how long the gateway may take to leave: it closes a connection that it has kept for two seconds without a
	// use (keepalive_timeout in upstreams.conf), and one that it uses when it is told to.
	gatewayLeaves = 3 * time.Second
	// peersLeave is how long peers may take: they probe twice a second, and the answer tells them to leave.
	peersLeave = 1500 * time.Millisecond
	// stopWithin bounds the wait for requests in flight; a checkout takes at most 12 s.
	stopWithin = 14 * time.Second
)

// stop closes both doors so that no request is lost. A request is lost where a server closes a connection that it believes to be
// idle, while a request is on its way in: its caller cannot know whether it was done. So it is the callers who close: whoever asks
// is answered and told to leave, and the gateway closes what it does not use. Only what is left then is closed from here.
// The internal door closes last, so that requests in flight of the peers finish as well.
func (s *Server) stop(publicListener net.Listener, public, internal *http.Server) error {
	// The door is closed first, so that nobody who is told to leave comes back to meet the closing.
	if ignored := ignoreNewConnections(publicListener); ignored != nil {
		slog.Warn("connections that arrive now may be reset", "error", ignored)
	}
	time.Sleep(arriveWithin)
	publicListener.Close()
	s.draining.Store(true)
	began := time.Now()
	s.public.gone(began.Add(gatewayLeaves))
	s.internal.gone(began.Add(peersLeave))
	stopping, cancel := context.WithTimeout(context.Background(), stopWithin)
	defer cancel()
	err := public.Shutdown(stopping)
	if errors.Is(err, net.ErrClosed) {
		err = nil // the listener, by the line above; whether the server knows it yet is chance
	}
	return errors.Join(err, internal.Shutdown(stopping))
}

// connections counts the open connections of a door.
type connections struct{ open atomic.Int64 }

// note is told of every change of a connection's state.
func (c *connections) note(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.open.Add(1)
	case http.StateClosed, http.StateHijacked:
		c.open.Add(-1)
	}
}

// gone waits until no connection is open, or until a time.
func (c *connections) gone(until time.Time) {
	for c.open.Load() > 0 && time.Now().Before(until) {
		time.Sleep(10 * time.Millisecond)
	}
}
