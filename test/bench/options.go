package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// options are what the caller chose.
type options struct {
	args             []string
	clients          []int // one point each
	counts           []int // of checkouts that count, for each point
	slices           int
	lines            int
	ids              string
	users, stock     int
	machines, shards int
	gateway, dir     string
	profileDir       string
	report           string
	suite            bool
	quick            bool
	against          string
	readme           string
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	o := options{args: args}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(usage)
	clients := flags.String("clients", "1,64,256", "numbers of clients, one `point` each")
	counts := flags.String("n", "", "checkouts that count, one number or one for each point (default 300 a client, 2000 to 40000)")
	flags.IntVar(&o.slices, "slices", 5, "slices of each point, each followed by one of empty requests")
	flags.IntVar(&o.lines, "items", 1, "different items in each order")
	flags.StringVar(&o.ids, "ids", idsUUID, "how things are prepared: uuid, one by one; batch, users and items by batch_init; bulk, orders too (with -items 2)")
	flags.IntVar(&o.users, "users", 1000, "users")
	flags.IntVar(&o.stock, "stock", 1000, "items to choose from")
	flags.IntVar(&o.machines, "machines", 1, "machines of each service")
	flags.IntVar(&o.shards, "shards", 0, "shards of each service (default as many as machines)")
	flags.StringVar(&o.gateway, "gateway", "", "`URL` of a running system to measure; its processor time is not known")
	flags.StringVar(&o.dir, "dir", "", "`folder` for the data, on the disk to be measured (default a temporary one)")
	flags.StringVar(&o.profileDir, "pprof", "", "`folder` for CPU profiles of the services")
	flags.StringVar(&o.report, "o", "", "`file` for the report, in Markdown")
	flags.BoolVar(&o.suite, "suite", false, "measure everything, with -o into a folder: clients, open loop, items, shards, reads, writes, refusals, batch_init")
	flags.BoolVar(&o.quick, "quick", false, "a twentieth of the suite, to see that it works; its figures say little")
	flags.StringVar(&o.readme, "readme", "", "`file` whose headline table is written anew after the suite")
	flags.StringVar(&o.against, "check", "", "after the suite, fail if a ratio is worse than in this `file` by more than 15 %")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var errs [2]error
	o.clients, errs[0] = numbers(*clients)
	o.counts, errs[1] = numbers(*counts)
	if *counts == "" {
		o.counts, errs[1] = defaultCounts(o.clients), nil
	}
	if len(o.counts) == 1 {
		o.counts = slices.Repeat(o.counts, len(o.clients))
	}
	return o, errors.Join(errs[0], errs[1], o.check(flags.NArg()))
}

// numbers reads a list of positive numbers.
func numbers(list string) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q in %q is not a positive number", text, list)
		}
		all = append(all, n)
	}
	return all, nil
}

// defaultCounts is a second or more of work in each slice, on a machine that the bars of the project are met on.
func defaultCounts(clients []int) []int {
	var counts []int
	for _, c := range clients {
		counts = append(counts, min(max(300*c, 2000), 40000))
	}
	return counts
}

func (o options) check(extra int) error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(extra > 0, "there are no arguments but flags")
	refuse(len(o.counts) != len(o.clients), "-n: %d numbers for %d points", len(o.counts), len(o.clients))
	refuse(o.users < 1 || o.stock < 1 || o.lines < 1 || o.slices < 1, "-users, -stock, -items and -slices must be positive")
	refuse(o.lines > o.stock, "-items: %d different items of %d", o.lines, o.stock)
	refuse(!slices.Contains([]string{idsUUID, idsBatch, idsBulk}, o.ids), "-ids: %q is none of uuid, batch, bulk", o.ids)
	refuse(o.ids == idsBulk && o.lines != 2, "-ids bulk: these orders have two items each, say -items 2")
	refuse(o.gateway != "" && o.profileDir != "", "-pprof: the internal doors behind -gateway are not known")
	refuse(o.suite && (o.gateway != "" || o.profileDir != ""), "-suite starts systems of its own, and saves no profiles")
	refuse(!o.suite && (o.quick || o.against != "" || o.readme != ""), "-quick, -check and -readme are of -suite")
	for i, n := range o.counts {
		refuse(n < o.slices, "-n: %d checkouts at point %d are less than the slices", n, i+1)
	}
	return errors.Join(errs...)
}

// command is how to measure the same again.
func (o options) command() string {
	return strings.Join(append([]string{"go run ./test/bench"}, o.args...), " ")
}
