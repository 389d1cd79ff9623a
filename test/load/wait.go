package main

import (
	"syscall"
	"time"
	"unsafe"
)

// epollWait is syscall.EpollWait without telling Go's scheduler. Told of a wait, the scheduler takes the processor away
// and gives it back each time, which costs a third of the generator's time. It finds out by itself after 10 ms, and its
// signal then ends the wait with EINTR, so that other goroutines are held up no longer than that.
func epollWait(epoll int, events []syscall.EpollEvent, wait time.Duration) (int, error) {
	n, _, errno := syscall.RawSyscall6(syscall.SYS_EPOLL_PWAIT, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), uintptr(wait.Milliseconds()), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
