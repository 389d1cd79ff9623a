package main

import (
	"syscall"
	"time"
	"unsafe"
)

// sysEpollPwait2 is the number of epoll_pwait2(2), the same on every architecture of Linux (5.11 and later) but alpha.
const sysEpollPwait2 = 441

// epollWait is syscall.EpollWait without telling Go's scheduler, and with a wait to the microsecond. Told of a wait, the scheduler
// takes the processor away and gives it back each time, which costs a third of the generator's time. It finds out by itself after
// 10 ms, and its signal then ends the wait with EINTR, so that other goroutines are held up no longer than that.
func epollWait(epoll int, events []syscall.EpollEvent, wait time.Duration) (int, error) {
	limit := syscall.NsecToTimespec(int64(max(wait, 0)))
	n, _, errno := syscall.RawSyscall6(sysEpollPwait2, uintptr(epoll), uintptr(unsafe.Pointer(unsafe.SliceData(events))),
		uintptr(len(events)), uintptr(unsafe.Pointer(&limit)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), nil
}
