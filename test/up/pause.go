package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"checkout/test/stack"
)

// pauseFile, in the data directory, contains the ID of this process while pauseGateway has stopped the gateway.
const pauseFile = "paused"

// pauseGateway stops the gateway gracefully on SIGUSR1 and starts the gateway on SIGUSR2, until ctx ends. The script
// test/up/backup sends both signals, and reads pauseFile.
func pauseGateway(ctx context.Context, signals <-chan os.Signal, s *stack.Stack, out *lines) {
	file := filepath.Join(s.Dir(), pauseFile)
	pause := func() error {
		if err := s.Stop(ctx, "nginx"); err != nil {
			return err
		}
		return os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())), 0o644)
	}
	resume := func() error {
		if err := os.Remove(file); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := s.Start(ctx, "nginx"); !errors.Is(err, stack.ErrRunning) {
			return err
		}
		return nil
	}
	defer os.Remove(file)
	for {
		select {
		case got := <-signals:
			change, done := pause, "stopped the gateway on SIGUSR1; SIGUSR2 starts it"
			if got == syscall.SIGUSR2 {
				change, done = resume, "started the gateway on SIGUSR2"
			}
			if err := change(); err != nil {
				out.printf("on %v: %v", got, err)
			} else {
				out.printf("%s", done)
			}
		case <-ctx.Done():
			return
		}
	}
}
