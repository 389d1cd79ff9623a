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
	"sync"
	"syscall"

	"checkout/test/stack"
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

// run runs the selected trials, some of them at the same time, and writes the report. After an interrupt, run reports
// the results so far.
func run(ctx context.Context, args []string, stdout io.Writer, progress *progress) error {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	stack.UseMemory()
	progress.logf("seed %d", o.seed)
	r := newReport(ctx, o)
	defer progress.watch(r)()
	var failed error
	together := len(o.scenarios) > 1 // with one scenario (make soak), the trials run in turn and share the duration
	for trials := o.trials(progress); len(trials) > 0 && failed == nil; {
		n := 1
		for together && trials[0].scenario.waits && n < len(trials) && trials[n].scenario.waits {
			n++
		}
		r.add(trials[:n]...)
		failed = runTogether(ctx, trials[:n])
		trials = trials[n:]
	}
	if ctx.Err() != nil {
		failed = nil // the error is a consequence of the interrupt
		r.interrupted = true
	}
	text := r.markdown()
	fmt.Fprint(stdout, text)
	return errors.Join(failed, writeReport(o.report, text), r.err())
}

// runTogether runs trials at the same time.
func runTogether(ctx context.Context, trials []*trial) error {
	errs := make([]error, len(trials))
	var running sync.WaitGroup
	for i, tr := range trials {
		running.Go(func() {
			if err := tr.run(ctx); err != nil {
				errs[i] = fmt.Errorf("%s: %w", tr.name(), err)
			}
		})
	}
	running.Wait()
	return errors.Join(errs...)
}

func writeReport(file, text string) error {
	if file == "" {
		return nil
	}
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644))
}
