package web

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

// gcPercent lets the heap, a few megabytes live, grow fivefold before it is collected: the services' memory is small and their
// processor time is not.
const gcPercent = 400

// tune tells the Go runtime how to run a service, where GOGC and GOMAXPROCS do not. The gateway, the services and their Redises share
// the processors: a service that may use all of them spends time on waking idle threads (on two busy cores a checkout took 416 and
// 430 µs of all servers' processor time at 64 clients, and 356 and 346 with half of them; at 256 the difference does not show). Fewer
// processors than there are is a container's limit, which is its own. What only the environment can say, the Dockerfile does: GODEBUG.
func tune() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	if all := runtime.NumCPU(); os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) == all {
		runtime.GOMAXPROCS(max(1, all/2))
	}
}

// Main runs a service until SIGTERM or SIGINT, and ends the process: with status 1 and the error on stderr if run failed.
func Main(run func(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error) {
	tune()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args, os.Getenv, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// Log makes slog write to w: debug records as well, if asked for, and all of them in JSON. What is logged with the context of a
// request names it.
func Log(w io.Writer, debug, json bool) {
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
