package web

import (
	"net"

	"golang.org/x/sys/unix"
)

// ignoreNewConnections makes the kernel take no further connection for a listener, while those that it has begun to take still
// arrive. Closing alone would reset them, with the requests that their callers have already sent.
//
// It is a packet filter that drops what begins a connection: a SYN without an ACK. The caller's kernel sends another one, which
// is refused once the listener is closed; so the caller knows that nothing was sent.
func ignoreNewConnections(l net.Listener) error {
	const flagsAt, syn, ack = 13, 0x02, 0x10 // in the header of TCP, where the filter of a listener begins to count (RFC 9293, 3.1)
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flagsAt},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: 1 << 18},
	}
	raw, err := l.(*net.TCPListener).SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
	if err != nil {
		return err
	}
	return failed
}
