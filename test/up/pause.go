package main

import (
	"context"
	"os"
	"syscall"

	"checkout/test/stack"
)

// pauseGateway stops the gateway gracefully on SIGUSR1 and starts the gateway on SIGUSR2, until ctx ends. The script
// test/up/backup sends both signals.
func pauseGateway(ctx context.Context, signals <-chan os.Signal, s *stack.Stack, out *lines) {
	for {
		select {
		case got := <-signals:
			change, done := s.Stop, "stopped the gateway on SIGUSR1; SIGUSR2 starts it"
			if got == syscall.SIGUSR2 {
				change, done = s.Start, "started the gateway on SIGUSR2"
			}
			if err := change(ctx, "nginx"); err != nil {
				out.printf("on %v: %v", got, err)
			} else {
				out.printf("%s", done)
			}
		case <-ctx.Done():
			return
		}
	}
}
