package web

import (
	"context"
	"net"
	"strconv"
)

// Addresses are the host:port pairs of the three listeners. Port 0 picks a free port.
type Addresses struct{ Public, Internal, Monitoring string }

// JoinHostPorts returns the addresses of the ports on one host. An empty host means all interfaces.
func JoinHostPorts(host string, public, internal, monitoring int) Addresses {
	at := func(port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }
	return Addresses{at(public), at(internal), at(monitoring)}
}

// listen opens a plain TCP listener. Multipath TCP, the default in Go, does not support dropNewConnections.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	return config.Listen(ctx, "tcp", address)
}
