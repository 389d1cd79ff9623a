//go:build !linux

package web

import "net"

// dropNewConnections does nothing, because only Linux has socket filters. Closing the listener resets handshakes in
// progress.
func dropNewConnections(net.Listener) error { return nil }
