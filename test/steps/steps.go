// Package steps runs tests of deployed systems. A test is a list of steps that run commands.
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

	"checkout/common/version"
)

// Step is one part of a test of a deployed system.
type Step struct {
	Name     string
	Run      func(context.Context) error
	Required bool // if this step fails, later steps do not run
}

// Runner runs steps and prints their results.
type Runner struct {
	Out   io.Writer
	First string                           // part of the name of the first step to run; "" runs all steps
	Skip  string                           // part of the names of steps to skip; "" skips none
	State func(ctx context.Context) string // describes the system; called after a failed step
}

// Logf prints one line about the current step.
func (r *Runner) Logf(format string, args ...any) { fmt.Fprintf(r.Out, "  "+format+"\n", args...) }

// Run runs the steps in order. It returns the errors of all failed steps.
func (r *Runner) Run(ctx context.Context, steps []Step) error {
	first := slices.IndexFunc(steps, func(s Step) bool { return strings.Contains(s.Name, r.First) })
	if first < 0 {
		return fmt.Errorf("select the first step: no name contains %q", r.First)
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

// Main runs a test, and exits with status 1 if the test fails. If the flag -o is set, Main also writes the output to a
// report.
func Main(name string, test func(ctx context.Context, out io.Writer) error) {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	report := flags.String("o", "", "also write the output to this Markdown `file`")
	switch err := version.ParseFlags(flags, os.Args[1:], os.Stdout); {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintf(os.Stderr, "%s: %v\n", name, err)
		os.Exit(2)
	}
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

// notes is the heading of the manual part of a report. writeReport preserves this part.
const notes = "\n## Notes\n"

// writeReport writes a report, but preserves the notes in an existing file.
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
