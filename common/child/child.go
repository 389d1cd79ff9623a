// Package child starts processes for tests and tools. These processes never outlive the process that starts them.
package child

import (
	"os/exec"
	"runtime"
	"syscall"
)

// Start is like cmd.Start. In addition, the kernel kills the child when this process ends in any way, even by SIGKILL.
//
// More precisely, the kernel kills the child when the thread that started it ends (PR_SET_PDEATHSIG in prctl(2)). A
// thread ends with the goroutine that is locked to it. So only a thread that never ends starts children.
func Start(cmd *exec.Cmd) error {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	result := make(chan error)
	starts <- func() { result <- cmd.Start() }
	return <-result
}

var starts = make(chan func())

func init() {
	go func() {
		runtime.LockOSThread()
		for start := range starts {
			start()
		}
	}()
}
