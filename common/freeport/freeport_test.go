package freeport

import (
	"net"
	"sync"
	"testing"
)

// Concurrent callers get different ports. A caller can listen on its reserved port. Nothing else gets this port, not
// even a listener whose port the kernel chooses.
func TestReserve(t *testing.T) {
	var mu sync.Mutex
	var all sync.WaitGroup
	taken := map[string]bool{}
	for range 8 {
		all.Go(func() {
			for range 50 {
				addr := Addr(t)
				l, err := net.Listen("tcp", addr)
				if err != nil {
					t.Error(err)
					return
				}
				l.Close()
				other, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				if taken[addr] {
					t.Errorf("%s is reserved twice", addr)
				}
				if taken[other.Addr().String()] {
					t.Errorf("the kernel chose the reserved address %s", other.Addr())
				}
				taken[addr] = true
				mu.Unlock()
				other.Close()
			}
		})
	}
	all.Wait()
}

// The owner of a reserved port can always listen on it, even while other callers try to reserve the same port.
func TestReserveLeavesReservedPortsAlone(t *testing.T) {
	port, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	defer port.Release()
	stop := make(chan struct{})
	var others sync.WaitGroup
	defer others.Wait()
	defer close(stop)
	for range 4 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := reserve(port.Number); err == nil {
					t.Error("the port is reserved twice")
					return
				}
			}
		})
	}
	for range 2000 {
		l, err := net.Listen("tcp", port.Addr())
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
	}
}

func TestRelease(t *testing.T) {
	port, err := Reserve()
	if err != nil {
		t.Fatal(err)
	}
	name := port.reservation.Addr().String()
	if l, err := net.Listen("unix", name); err == nil {
		l.Close()
		t.Errorf("%s is not reserved", port.Addr())
	}
	if err := port.Release(); err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatalf("%s is still reserved: %v", port.Addr(), err)
	}
	l.Close()
}
