package stack

import (
	"slices"
	"testing"
)

// TestFreePortsAreReserved checks that two stacks never get the same port, even before a component listens, and that a
// port is free again after close.
func TestFreePortsAreReserved(t *testing.T) {
	var first, second ports
	t.Cleanup(func() { first.close() })
	t.Cleanup(func() { second.close() })
	port, err := first.free()
	if err != nil {
		t.Fatal(err)
	}
	if second.reserve(port) {
		t.Errorf("port %d belongs to two stacks, want different ports", port)
	}
	if err := first.close(); err != nil {
		t.Fatal(err)
	}
	if !second.reserve(port) {
		t.Errorf("port %d is not free after close", port)
	}
	var several []int
	for range 100 {
		port, err := first.free()
		if err != nil || slices.Contains(several, port) {
			t.Fatalf("got port %d, %v; want a port other than %v", port, err, several)
		}
		several = append(several, port)
	}
}
