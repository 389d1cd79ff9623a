// Package freeport finds and reserves unused TCP ports, for tests and for systems on one host.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
)

const lowest = 10000

// Port is a reserved port of 127.0.0.1.
type Port struct {
	Number      int
	reservation net.Listener
}

// Reserve returns an unused port and reserves it until Release, even while nothing listens on it. The reservation
// is an abstract Unix socket with the port in its name, so no other call of Reserve on this host takes the port. The
// port is below the kernel's range for outgoing connections, so no outgoing connection takes the port either. If too
// few ports are below this range, the port is from the range, and an outgoing connection may take it.
func Reserve() (Port, error) {
	high := 32768 // the default of Linux
	b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range")
	if err == nil {
		if _, err := fmt.Sscan(string(b), &high); err != nil {
			return Port{}, fmt.Errorf("parse ip_local_port_range: %w", err)
		}
	}
	for range 1000 {
		number := 0
		if high > lowest+2000 {
			number = lowest + rand.IntN(high-lowest)
		} else if number, err = unused(0); err != nil { // the kernel chooses
			continue
		}
		if port, err := reserve(number); err == nil {
			return port, nil
		}
	}
	return Port{}, errors.New("find a free port on 127.0.0.1: none in 1000 tries")
}

// reserve reserves a port. It returns an error if the port is reserved or in use. It makes the reservation before
// it calls unused, because unused listens on the port for a moment. On a port that another process has reserved,
// this could make that process fail to listen.
func reserve(number int) (Port, error) {
	reservation, err := net.Listen("unix", "@checkout-port-"+strconv.Itoa(number))
	if err != nil {
		return Port{}, err
	}
	if _, err := unused(number); err != nil {
		reservation.Close()
		return Port{}, err
	}
	return Port{number, reservation}, nil
}

// unused returns the number of an unused port: the given port, or if number is 0, a port that the kernel chooses. It
// returns an error if the given port is in use.
func unused(number int) (int, error) {
	l, err := net.Listen("tcp", Port{Number: number}.Addr())
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// Addr returns the address 127.0.0.1:port.
func (p Port) Addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Number)) }

// Release ends the reservation.
func (p Port) Release() error { return p.reservation.Close() }

// Test is the part of testing.TB that Addr needs.
type Test interface {
	Helper()
	Fatal(...any)
	Cleanup(func())
}

// Addr returns an unused address of 127.0.0.1. The port is reserved until the end of the test.
func Addr(t Test) string {
	t.Helper()
	port, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { port.Release() })
	return port.Addr()
}
