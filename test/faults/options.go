package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkout/test/stack"
)

// options are what the caller chose.
type options struct {
	command   string // how to run the same again
	scenarios []scenario
	sizes     []stack.Size
	duration  time.Duration // of all trials of scenarios that can go on for ever, together
	seed      uint64
	customers int
	rate      float64 // steps a second of all customers together; 0: as fast as they are answered
	race      bool
	report    string
	only      string // mutations, floods
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.SetOutput(usage)
	names := flags.String("scenario", "all", "which `scenarios`, comma-separated:\n"+describeScenarios())
	sizes := flags.String("sizes", "1x1,2x2", "systems, each `machines x shards` of each service")
	flags.DurationVar(&o.duration, "duration", time.Minute, "of what can go on for ever, over all sizes")
	flags.Uint64Var(&o.seed, "seed", 0, "of all choices; 0 draws one")
	flags.IntVar(&o.customers, "customers", 12, "who use the system at the same time")
	flags.Float64Var(&o.rate, "rate", 0, "requests a second of all customers together, so that others may use the machine; 0: as fast as they are answered")
	flags.BoolVar(&o.race, "race", false, "build the services with the race detector: what it finds is a violation")
	flags.StringVar(&o.report, "o", "", "`file` for the report, in Markdown")
	flags.StringVar(&o.only, "only", "", "of the mutations, and of the floods, those whose name or run holds this `text`")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var errs [2]error
	o.scenarios, errs[0] = chooseScenarios(*names)
	o.sizes, errs[1] = parseSizes(*sizes)
	if err := errors.Join(errs[0], errs[1], o.check(flags.NArg())); err != nil {
		return o, err
	}
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	o.command = o.commandOf(flags)
	return o, nil
}

func (o options) check(extra int) error {
	var errs []error
	refuse := func(wrong bool, format string, args ...any) {
		if wrong {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	refuse(extra > 0, "there are no arguments but flags")
	refuse(o.duration <= 0, "-duration: %v is no time", o.duration)
	refuse(o.customers < 1, "-customers must be positive")
	refuse(o.rate < 0, "-rate must not be negative")
	return errors.Join(errs...)
}

// parseSizes reads "1x1,2x2".
func parseSizes(list string) ([]stack.Size, error) {
	var sizes []stack.Size
	for text := range strings.SplitSeq(list, ",") {
		machines, shards, _ := strings.Cut(text, "x")
		m, err1 := strconv.Atoi(machines)
		s, err2 := strconv.Atoi(shards)
		if err1 != nil || err2 != nil || m < 1 || s < 1 {
			return nil, fmt.Errorf("-sizes: %q in %q is no size such as 2x2", text, list)
		}
		sizes = append(sizes, stack.Size{Instances: m, Shards: s})
	}
	return sizes, nil
}

// chooseScenarios reads "mix,other", or "all".
func chooseScenarios(list string) ([]scenario, error) {
	if list == "all" {
		return scenarios(), nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("-scenario: there is no %q, but\n%s", name, describeScenarios())
		}
		chosen = append(chosen, scenarios()[i])
	}
	return chosen, nil
}

// trials are every scenario on every size.
func (o options) trials(live *live) []*trial {
	var all []*trial
	endless := 0
	for _, s := range o.scenarios {
		for _, size := range o.sizes {
			if len(s.sizes) > 0 && !slices.Contains(s.sizes, size) {
				continue
			}
			if s.endless {
				endless++
			}
			all = append(all, &trial{scenario: s, size: size, options: o, live: live})
		}
	}
	for _, tr := range all {
		if tr.scenario.endless {
			tr.options.duration = o.duration / time.Duration(endless)
		}
	}
	return all
}

// commandOf is how to run the same again: what was chosen, with the seed that was drawn. Where the report goes is no part of it: it
// may be kept elsewhere.
func (o options) commandOf(flags *flag.FlagSet) string {
	command := "go run ./test/faults"
	flags.Visit(func(f *flag.Flag) {
		if value := f.Value.String(); f.Name == "race" {
			command += " -race=" + value
		} else if f.Name != "seed" && f.Name != "o" {
			if strings.ContainsAny(value, " *'\"$") {
				value = "'" + strings.ReplaceAll(value, "'", `'\''`) + "'"
			}
			command += fmt.Sprintf(" -%s %s", f.Name, value)
		}
	})
	return fmt.Sprintf("%s -seed %d", command, o.seed)
}
