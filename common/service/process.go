package service

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"checkout/common/requestid"
)

// gcPercent lets the heap grow to five times the live heap before a collection. The live heap has a few megabytes, so
// this saves CPU time and costs little memory.
const gcPercent = 400

// tuneRuntime sets GOGC and GOMAXPROCS, unless the environment sets them. A service uses half of the processors,
// because the gateway, the other services and Redis run on the same host. A CPU limit of the container takes
// precedence. See docs/adr/0010-half-the-processors.md.
func tuneRuntime() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if all := runtime.NumCPU(); os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == all {
		runtime.GOMAXPROCS(max(1, all/2))
	}
}

// Main runs a service until SIGTERM or SIGINT. If run fails, it prints the error to stderr and exits with status 1.
func Main(run func(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error) {
	tuneRuntime()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// setLogger makes the default logger write to w, as text or JSON. Debug records are written only if debug is true.
// Records that are logged with the context of a request contain the request ID.
func setLogger(w io.Writer, debug, json bool) {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		options.Level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if json {
		handler = slog.NewJSONHandler(w, options)
	}
	slog.SetDefault(slog.New(requestid.LogHandler(handler)))
}
