package web

import (
	"context"
	"net"
	"strconv"
)

// Addresses are the host:port pairs of the two listeners. Port 0 picks a free port.
type Addresses struct{ Public, Internal string }

// JoinHostPorts returns the addresses of both ports on one host. An empty host means all interfaces.
func JoinHostPorts(host string, public, internal int) Addresses {
	return Addresses{net.JoinHostPort(host, strconv.Itoa(public)), net.JoinHostPort(host, strconv.Itoa(internal))}
}

// listen opens a plain TCP listener. Multipath TCP, the default in Go, does not support dropNewConnections.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", address)
}
