package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	if len(os.Args) == 4 && os.Args[1] == abuseCommand {
		if err := runAbuse(os.Args[2], os.Args[3], os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, newProgress(os.Stderr))
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// errViolations means that the scenarios ran and found violations.
var errViolations = errors.New("the system violated its invariants")

// run runs the trials that args select, one after the other, and writes the report. After an interrupt it reports the
// results so far.
func run(ctx context.Context, args []string, stdout io.Writer, progress *progress) error {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	useMemoryForData()
	progress.logf("seed %d", o.seed)
	r := newReport(ctx, o)
	defer progress.watch(r)()
	var failed error
	for _, tr := range o.trials(progress) {
		r.add(tr)
		if failed = tr.run(ctx); failed != nil {
			failed = fmt.Errorf("%s: %w", tr.name(), failed)
			break
		}
	}
	if ctx.Err() != nil {
		failed = nil // the error is a consequence of the interrupt
		r.interrupted = true
	}
	text := r.markdown()
	fmt.Fprint(stdout, text)
	return errors.Join(failed, writeReport(o.report, text), r.err())
}

func writeReport(file, text string) error {
	if file == "" {
		return nil
	}
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
}

// useMemoryForData stores the data of the systems in memory, unless TMPDIR is set or there is too little room. Redis
// syncs each write, and a sync may take seconds on a shared disk. A killed Redis loses no data in memory, because the
// kernel keeps its files.
func useMemoryForData() {
	const shm, room = "/dev/shm", 2 << 30
	var fs syscall.Statfs_t
	if os.Getenv("TMPDIR") == "" && syscall.Statfs(shm, &fs) == nil && fs.Bavail*uint64(fs.Bsize) >= room {
		os.Setenv("TMPDIR", shm)
	}
}
