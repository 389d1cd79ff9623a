package web

import (
	"net"

	"golang.org/x/sys/unix"
)

// dropNewConnections makes the kernel drop new connection attempts to a listener. The kernel still completes handshakes
// in progress. Closing the listener at once would reset these handshakes, although their clients may have sent a
// request.
//
// A socket filter drops each SYN without ACK. The kernel of the client retransmits the SYN. After the listener is
// closed, the client gets a reset and knows that it has sent no request. See
// docs/adr/0016-gateway-timeouts-and-shutdown.md.
func dropNewConnections(l net.Listener) error {
	const (
		flagsOffset = 13 // position of the flags in the TCP header (RFC 9293, section 3.1)
		syn, ack    = 0x02, 0x10
		drop, keep  = 0, 1 << 18 // number of bytes of the packet to keep
	)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flagsOffset},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: drop},
		{Code: unix.BPF_RET | unix.BPF_K, K: keep},
	}
	filter := &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var attachErr error
	err = raw.Control(func(fd uintptr) {
		attachErr = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, filter)
	})
	if err != nil {
		return err
	}
	return attachErr
}
