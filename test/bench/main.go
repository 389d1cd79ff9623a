// Command bench measures the whole system on one host. `make bench`, `make bench-check` and `make bench-compare` run
// it.
//
// bench starts the system with package stack and prepares users, items and orders through the public API. Then bench
// checks out each order once through the gateway, in a closed loop: each client sends its next request when it has
// received a response. Slices of checkouts alternate with slices of empty requests (GET /orders/) from the same
// clients. The ratio of the two rates is the cost of a checkout in empty requests. The ratio varies less between hosts
// and runs than either rate. Afterwards, bench reads back every order, user and item, and checks that all amounts add
// up.
//
// The load generator shares the processors with the system. To use little processor time, it runs on one thread with
// epoll (drive.go), and has a small HTTP/1.1 parser (response.go).
//
// bench measures:
//   - with -compare: this project and other implementations of the course's API in turn (compare.go)
//   - otherwise, with -clients: only the closed loop
//   - otherwise: a closed loop with 1 to 512 clients, an open loop at several rates (pace.go), carts of 1 to 50 items,
//     1 to 4 shards, reads and simple writes, rejected checkouts, and batch_init
//
// With -clients or -compare, -gateway selects a running system instead of a new one. To profile the system, use
// `go tool pprof` with /debug/pprof/profile of a monitoring port.
//
// bench exits with status 1 after an error, or if orders, users and items do not add up. It also exits with 1:
//   - with -compare: if a round or an audit fails, or if no checkout of a system gets 2xx
//   - without -compare: if a checkout, another measured request or an empty request fails
//   - with -check FILE: if a ratio is more than 15 % worse than in FILE, the figures.json of an earlier run
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"checkout/common/version"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// errViolations means that the measurement is complete, but the report lists failures.
var errViolations = errors.New("a request failed, or orders, users and items do not add up; see the report")

// options are the command-line flags.
type options struct {
	args    []string
	clients []int  // empty: measure everything, or with -compare the default numbers
	slices  int    // of each measurement
	shards  int    // of each service, in the closed loop
	gateway string // URL of a running system
	out     string // directory for the report and the figures
	check   string // file with the figures to compare with

	compare, names, pids string // of other implementations; see parseOthers
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	o := options{args: args}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	clients := flags.String("clients", "", "measure only the closed loop, with these `numbers` of clients, like 64,256")
	flags.IntVar(&o.slices, "slices", 3, "slices of each measurement; with -compare: rounds for each number of clients")
	flags.IntVar(&o.shards, "shards", 1, "with -clients or -compare: shards of each service")
	flags.StringVar(&o.gateway, "gateway", "",
		"with -clients or -compare: `URL` of a running system of this project; its processor time is unknown")
	flags.StringVar(&o.out, "o", "", "`directory` for report.md and figures.json")
	flags.StringVar(&o.check, "check", "", "fail if a ratio is worse than in this figures.json by more than 15 %")
	flags.StringVar(&o.compare, "compare", "", "measure this project and running systems with these `URLs` in turn")
	flags.StringVar(&o.names, "names", "", "with -compare: a `name` for each URL")
	flags.StringVar(&o.pids, "pids", "", "with -compare: the `process IDs` of each URL, like \"11,12;21,22\"")
	if err := version.ParseFlags(flags, args, os.Stdout); err != nil {
		return o, err
	}
	for text := range strings.SplitSeq(*clients, ",") {
		if *clients == "" {
			break
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return o, fmt.Errorf("-clients: %q in %q is not a positive number", text, *clients)
		}
		o.clients = append(o.clients, n)
	}
	switch {
	case o.slices < 1 || o.shards < 1:
		return o, errors.New("-slices and -shards must be positive")
	case o.compare == "" && (o.names != "" || o.pids != ""):
		return o, errors.New("-names and -pids need -compare")
	case o.compare != "" && o.check != "":
		return o, errors.New("-check cannot be used with -compare")
	case len(o.clients) == 0 && o.compare == "" && (o.gateway != "" || o.shards != 1):
		return o, errors.New("-gateway and -shards need -clients or -compare")
	}
	return o, nil
}

// run takes the measurements that the arguments select, and writes the report to stdout.
func run(ctx context.Context, args []string, stdout, progress io.Writer) error {
	o, err := parseOptions(args, progress)
	if err != nil {
		return err
	}
	if o.compare != "" {
		return runComparison(ctx, o, stdout, progress)
	}
	r := &report{command: strings.Join(append([]string{"go run ./test/bench"}, args...), " "), date: time.Now()}
	if err := r.measure(ctx, o, newPlan(o), log.New(progress, "", 0)); err != nil {
		return err
	}
	return r.finish(o, stdout, progress)
}

// finish writes the report and the figures. It returns an error if the report contains a failure, or if -check fails.
func (r *report) finish(o options, stdout, progress io.Writer) error {
	text := r.markdown()
	fmt.Fprint(stdout, text)
	if o.out != "" {
		err := errors.Join(
			os.MkdirAll(o.out, 0o755),
			os.WriteFile(filepath.Join(o.out, "report.md"), []byte(text), 0o644),
			r.figures().write(filepath.Join(o.out, "figures.json")))
		if err != nil {
			return err
		}
	}
	if !r.ok() {
		return errViolations
	}
	if o.check != "" {
		return r.figures().check(o.check, progress)
	}
	return nil
}
