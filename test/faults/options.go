package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"checkout/common/version"
	"checkout/test/stack"
)

// options are the values of the flags.
type options struct {
	command   string // command that reproduces the run
	scenarios []scenario
	sizes     []stack.Size
	duration  time.Duration // total duration of all trials of a timed scenario
	seed      uint64
	clients   int
	rate      float64 // requests per second of all clients together; 0 means the default of the scenario
	race      bool
	report    string
	only      string // run only the mutations, floods and failover faults whose names contain this text
	mutations int    // number of random mutations to run; 0 means all
}

func parseOptions(args []string, usage io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("faults", flag.ContinueOnError)
	flags.SetOutput(usage)
	names := flags.String("scenario", "all", "comma-separated `scenarios`:\n"+describeScenarios())
	sizes := flags.String("sizes", "1x1,2x2", "sizes of the system, as `instances x shards` of each service")
	flags.DurationVar(&o.duration, "duration", 40*time.Second,
		"total duration of scenario mix, and of scenario failover, over all sizes")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of all random choices; 0 means a random seed")
	flags.IntVar(&o.clients, "clients", 12, "number of concurrent clients in scenarios mix, identity and failover")
	flags.Float64Var(&o.rate, "rate", 0, "requests per second of all clients (see -clients) together; "+
		fmt.Sprintf("0 means %d in scenario failover, and unlimited in the others", failoverRate))
	flags.BoolVar(&o.race, "race", false, "build the services with the race detector; a data race is a violation")
	flags.StringVar(&o.report, "o", "bin/faults.md", "write the report in Markdown to this `file`")
	flags.StringVar(&o.only, "only", "",
		"run only the mutations, floods and failover faults whose names contain this `text`")
	flags.IntVar(&o.mutations, "mutations", 0, "number of mutations to run, which the seed selects; 0 means all")
	if err := version.ParseFlags(flags, args, os.Stdout); err != nil {
		return o, err
	}
	var errs [2]error
	o.scenarios, errs[0] = chooseScenarios(*names)
	o.sizes, errs[1] = parseSizes(*sizes)
	if err := errors.Join(errs[0], errs[1], o.check()); err != nil {
		return o, err
	}
	for o.seed == 0 {
		o.seed = rand.Uint64()
	}
	o.command = o.commandOf(flags)
	return o, nil
}

func (o options) check() error {
	var errs []error
	reject := func(invalid bool, format string, args ...any) {
		if invalid {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	reject(o.duration <= 0, "parse -duration: %v is not positive", o.duration)
	reject(o.clients < 1, "parse -clients: %d is not positive", o.clients)
	reject(o.mutations < 0, "parse -mutations: %d is negative", o.mutations)
	reject(o.rate < 0, "parse -rate: %v is negative", o.rate)
	return errors.Join(errs...)
}

// parseSizes parses a list such as "1x1,2x2".
func parseSizes(list string) ([]stack.Size, error) {
	var sizes []stack.Size
	for text := range strings.SplitSeq(list, ",") {
		instances, shards, _ := strings.Cut(text, "x")
		m, err1 := strconv.Atoi(instances)
		s, err2 := strconv.Atoi(shards)
		if err1 != nil || err2 != nil || m < 1 || s < 1 {
			return nil, fmt.Errorf("parse -sizes: invalid size %q in %q, want a size such as 2x2", text, list)
		}
		sizes = append(sizes, stack.Size{Instances: m, Shards: s})
	}
	return sizes, nil
}

// chooseScenarios parses a list such as "mix,matrix", or "all".
func chooseScenarios(list string) ([]scenario, error) {
	if list == "all" {
		return scenarios(), nil
	}
	var chosen []scenario
	for name := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("parse -scenario: unknown scenario %q, want one of:\n%s", name, describeScenarios())
		}
		chosen = append(chosen, scenarios()[i])
	}
	return chosen, nil
}

// trials returns a trial for each scenario on each size that the scenario supports.
func (o options) trials(live *progress) []*trial {
	var all []*trial
	timed := map[string]int{} // number of trials, by scenario
	for _, s := range o.scenarios {
		for _, size := range o.sizes {
			if len(s.sizes) > 0 && !slices.Contains(s.sizes, size) {
				continue
			}
			if s.copies > 0 && size.Shards > 1 && len(o.scenarios) > 1 {
				continue // too slow for a run of several scenarios: this trial starts 18 nodes and 18 keepers
			}
			if s.timed {
				timed[s.name]++
			}
			all = append(all, &trial{scenario: s, size: size, options: o, progress: live})
		}
	}
	for _, tr := range all {
		if tr.scenario.timed {
			tr.options.duration = o.duration / time.Duration(timed[tr.scenario.name])
		}
		if tr.scenario.copies > 0 && len(o.scenarios) > 1 {
			tr.options.duration = min(tr.options.duration, failoverRound) // one round, because the nodes start slowly
		}
	}
	return all
}

// commandOf returns the command that reproduces the run. The command has all flags that were set, except -o. It always
// has the seed in use.
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
