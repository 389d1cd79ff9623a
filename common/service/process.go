package service

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"

	"checkout/common/requestid"
	"checkout/common/trace"
)

// gcPercent lets the heap grow to five times the live heap before a garbage collection. The live heap has a few
// megabytes, so a larger heap saves CPU time and costs little memory.
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

// Main calls the given function. SIGTERM and SIGINT end the context of the function, which must then return. If the
// function returns an error, Main prints the error to stderr, unless the error is already logged, and exits. The
// status is 2 if UsageError made the error, otherwise 1.
func Main(run func(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error) {
	tuneRuntime()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, os.Interrupt)
	err := run(ctx, os.Args, os.Getenv, os.Stdout)
	stop()
	var usage *usageError
	switch {
	case errors.As(err, &usage):
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	case errors.Is(err, errLogged):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// SetLogger makes the default logger write to w, as text or JSON. Each record names the service and its instance.
// Debug records are written only if debug is true. Records that are logged with the context of a request contain its
// request ID and its trace ID.
func SetLogger(w io.Writer, service, instance string, debug, json bool) {
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if debug {
		options.Level = slog.LevelDebug
	}
	var handler slog.Handler = slog.NewTextHandler(w, options)
	if json {
		handler = slog.NewJSONHandler(w, options)
	}
	slog.SetDefault(slog.New(traceHandler{requestid.LogHandler(handler)}).With("service", service, "instance", instance))
}

// traceHandler adds the attribute trace_id to each record whose context belongs to a trace.
type traceHandler struct{ slog.Handler }

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if id := trace.IDs(ctx); id != "" {
		r.AddAttrs(slog.String("trace_id", id))
	}
	return h.Handler.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}
