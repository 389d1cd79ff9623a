// Package steps runs a test of a deployed system as a list of steps, and the commands that the steps need.
package steps

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Step is one part of a test.
type Step struct {
	Name     string
	Run      func(context.Context) error
	Required bool // the test ends if this step fails
}

// Runner runs steps and prints what they report.
type Runner struct {
	Out   io.Writer
	First string                           // part of the name of the first step to run; empty: run all
	Skip  string                           // part of the names of the steps to leave out; empty: leave out none
	State func(ctx context.Context) string // what to print after a failed step
}

// Logf prints one line about the current step.
func (r *Runner) Logf(format string, args ...any) { fmt.Fprintf(r.Out, "  "+format+"\n", args...) }

// Run runs the steps in order and returns the errors of all that failed.
func (r *Runner) Run(ctx context.Context, steps []Step) error {
	first := slices.IndexFunc(steps, func(s Step) bool { return strings.Contains(s.Name, r.First) })
	if first < 0 {
		return fmt.Errorf("find the first step: no name contains %q", r.First)
	}
	var errs []error
	start, done := time.Now(), 0
	for _, s := range steps[first:] {
		if r.Skip != "" && strings.Contains(s.Name, r.Skip) {
			continue
		}
		began := time.Now()
		done++
		fmt.Fprintln(r.Out, s.Name)
		err := s.Run(ctx)
		if err == nil {
			r.Logf("ok, %.1f s", time.Since(began).Seconds())
			continue
		}
		fmt.Fprintf(r.Out, "%s\n  FAILED after %.1f s: %v\n", r.State(context.WithoutCancel(ctx)),
			time.Since(began).Seconds(), err)
		errs = append(errs, fmt.Errorf("%s: %w", s.Name, err))
		if s.Required || ctx.Err() != nil {
			break
		}
	}
	fmt.Fprintf(r.Out, "%d of %d steps failed, %.0f s\n", len(errs), done, time.Since(start).Seconds())
	return errors.Join(errs...)
}

// Main runs a test and exits with status 1 if it fails. With the flag -o it also writes the output to a report.
func Main(name string, test func(ctx context.Context, out io.Writer) error) {
	report := flag.String("o", "", "also write the output to this Markdown `file`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	var log bytes.Buffer
	err := test(ctx, io.MultiWriter(os.Stdout, &log))
	if *report != "" {
		err = errors.Join(err, writeReport(*report, name, log.String()))
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(1)
	}
}

// notes is the heading of the part of a report that people write. A new report keeps it.
const notes = "\n## Notes\n"

func writeReport(file, name, log string) error {
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	_, kept, found := strings.Cut(string(old), notes)
	text := fmt.Sprintf("# Result of `make %s`\n\n%s, written with `make %[1]s REPORT=%[3]s`.\n\n```text\n%[4]s```\n",
		name, time.Now().Format(time.DateOnly), file, log)
	if found {
		text += notes + kept
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(text), 0o644)
}
