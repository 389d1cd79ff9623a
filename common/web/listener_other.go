//go:build !linux

package web

import "net"

// dropNewConnections does nothing: without a socket filter, closing the listener resets connections in progress.
func dropNewConnections(net.Listener) error { return nil }
