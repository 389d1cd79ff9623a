package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == nuisanceCommand {
		if err := beNuisance(os.Args[2], os.Args[3], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, newLive(os.Stderr))
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// errViolations says that everything ran, and that the system has not kept its promises.
var errViolations = errors.New("the system has broken its promises")

// run runs the trials that args ask for, one after the other, and writes the report to stdout. What was found until an interrupt is
// reported too.
func run(ctx context.Context, args []string, stdout io.Writer, live *live) error {
	o, err := parseOptions(args, live)
	if err != nil {
		return err
	}
	keepDataInMemory()
	live.say("seed %d", o.seed)
	r := newReport(ctx, o)
	defer live.watch(r)()
	var failed error
	for _, tr := range o.trials(live) {
		r.add(tr)
		if failed = tr.run(ctx); failed != nil {
			failed = fmt.Errorf("%s: %w", tr.name(), failed)
			break
		}
	}
	if ctx.Err() != nil {
		failed = nil // what it was interrupted in says nothing
		r.interrupted = true
	}
	text := r.markdown()
	fmt.Fprint(stdout, text)
	if o.report != "" {
		failed = errors.Join(failed, os.WriteFile(o.report, []byte(text), 0o644))
	}
	return errors.Join(failed, r.broken())
}

// keepDataInMemory has the data of the systems lie in memory where there is room for it, unless TMPDIR says where. Their Redises wait
// for the disk at each write; that a shared disk makes them wait for seconds is not what is tested. What a killed process has written
// is kept by the kernel either way.
func keepDataInMemory() {
	const shm, room = "/dev/shm", 2 << 30
	var found syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(shm, &found) == nil && found.Bavail*uint64(found.Bsize) >= room {
		os.Setenv("TMPDIR", shm)
	}
}
