package main

import (
	"os"
	"os/exec"

	"checkout/common/child"
)

// process is a Redis or a keeper that a test has started.
type process struct {
	*exec.Cmd
	exited chan struct{}
}

func (s *shard) start(c *exec.Cmd, keeper *node) *process {
	s.t.Helper()
	if keeper != nil {
		c.Env = append(os.Environ(), keeper.keeperEnv...)
		c.Stdout, c.Stderr = keeper.log, keeper.log
	}
	if err := child.Start(c); err != nil {
		s.t.Fatal(err)
	}
	p := &process{c, make(chan struct{})}
	go func() {
		c.Wait()
		close(p.exited)
	}()
	return p
}

func (p *process) running() bool {
	select {
	case <-p.exited:
		return false
	default:
		return true
	}
}

// stop kills a process and waits for its exit.
func stop(p *process) {
	p.Process.Kill()
	<-p.exited
}
