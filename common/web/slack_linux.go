package web

import (
	"log/slog"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"
)

// timerSlack is by how much the kernel may let the sleeps of this process last longer, so that they end together with something
// else. While anything runs, a thread of Go's runtime looks every 20 µs for what has blocked a processor (sysmon, in
// https://go.dev/src/runtime/proc.go), and with the 50 µs of slack that Linux gives by itself, its waking up was 9 % of the processor
// time of a busy order service here and a fifth of that of stock and payment. Nothing in a service needs a sleep to end sooner.
const timerSlack = time.Millisecond

// slackened is the environment variable that keeps a process from beginning once more; who sets it has Linux' own slack.
const slackened = "TIMER_SLACK"

// slacken gives the whole process its timer slack. Threads have it from those that start them, and the runtime's own are there
// before main is, so that the program is begun once more, as the same process; where that cannot be, all goes on as it is.
func slacken() {
	if os.Getenv(slackened) != "" {
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	self, err := os.Executable()
	if err == nil {
		err = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(timerSlack), 0, 0, 0)
	}
	if err == nil {
		err = unix.Exec(self, os.Args, append(os.Environ(), slackened+"="+timerSlack.String()))
	}
	slog.Warn("the runtime's monitor wakes up as often as ever", "error", err)
}
