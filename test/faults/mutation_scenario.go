package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/test/stack"
)

// mutationScenario breaks the services on purpose, to test the checkers.
var mutationScenario = scenario{
	name: "mutations", run: runMutations, sizes: []stack.Size{{Instances: 2, Shards: 2}}, waits: true,
	about: "Each rule of the protocol is broken on purpose. A short run forces an interleaving that needs the rule, " +
		"and the checkers must report a violation. The same run on the correct services must report none. " +
		"All runs use a lease of 1 s and a deadline of 3 s",
}

const (
	parallelRigs = 6 // rigs with single shards at a time; may exceed the number of processors, because rigs mostly wait
	replicaRigs  = 2 // rigs with replicated shards at a time; fewer, because each has three times as many processes
	maxTries     = 3 // maximum number of runs of an interleaving, whose result may depend on timing
)

// outcome is the result of running an interleaving.
type outcome struct {
	violations []string
	err        error
	took       time.Duration
}

// runMutations runs the selected mutations, and their interleavings on the correct services.
func runMutations(ctx context.Context, tr *trial) error {
	product, err := productWithShortTimes()
	if err != nil {
		return err
	}
	correct := map[*interleaving]*outcome{}
	broken := make([]*outcome, len(mutations))
	var running sync.WaitGroup
	slots, replicaSlots := make(chan struct{}, parallelRigs), make(chan struct{}, replicaRigs)
	start := func(il *interleaving, o *outcome, run func() outcome) {
		running.Go(func() {
			slots := slots
			if il.replicated() {
				slots = replicaSlots
			}
			slots <- struct{}{}
			defer func() { <-slots }()
			began := time.Now()
			*o = run()
			o.took = time.Since(began)
		})
	}
	for _, i := range tr.options.chooseMutations() {
		m := mutations[i]
		source, err := product.edited(m.edits)
		if err != nil {
			return fmt.Errorf("mutation %q: %w", m.name, err)
		}
		if correct[m.interleaving] == nil {
			correct[m.interleaving] = &outcome{}
			start(m.interleaving, correct[m.interleaving], func() outcome { return tr.runCorrect(ctx, m.interleaving, product) })
		}
		broken[i] = &outcome{}
		start(m.interleaving, broken[i], func() outcome { return tr.runMutation(ctx, m, source) })
	}
	running.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return tr.reportMutations(correct, broken)
}

// chooseMutations returns the indexes of the mutations to run. If the flag -mutations limits their number, the seed
// selects them. In this case, chooseMutations omits failoverMutations, which need a machine without other work.
// `make mutations` runs all mutations.
func (o options) chooseMutations() []int {
	var chosen []int
	for _, i := range rand.New(rand.NewPCG(o.seed, 0)).Perm(len(mutations)) {
		m := mutations[i]
		runs := o.mutations == 0 || len(chosen) < o.mutations && i < len(protocolMutations)
		if runs && strings.Contains(m.name+" "+m.interleaving.name, o.only) {
			chosen = append(chosen, i)
		}
	}
	slices.Sort(chosen)
	return chosen
}

// runCorrect runs an interleaving on the correct services.
func (tr *trial) runCorrect(ctx context.Context, il *interleaving, product sources) (o outcome) {
	defer tr.inject("interleavings", il.name)()
	for range maxTries {
		if o.violations, o.err = tr.runInterleaving(ctx, il, product, true); o.err == nil || ctx.Err() != nil {
			break
		}
	}
	return o
}

// runMutation runs a mutation until the checkers catch it. It tries several times because the violation may depend on
// timing.
func (tr *trial) runMutation(ctx context.Context, m mutation, source sources) (o outcome) {
	defer tr.inject("mutations", m.name)()
	for range maxTries {
		o.violations, o.err = tr.runInterleaving(ctx, m.interleaving, source, false, m.redisArgs...)
		if strings.Contains(strings.Join(o.violations, "\n"), m.want) || ctx.Err() != nil {
			break
		}
	}
	return o
}

// reportMutations adds the result of each mutation to the report. It reports a violation for each mutation that was not
// caught, and for each violation in a run of the correct services.
func (tr *trial) reportMutations(correct map[*interleaving]*outcome, broken []*outcome) error {
	var errs []error
	for il, o := range correct {
		if o.err != nil {
			errs = append(errs, fmt.Errorf("run %q on the correct services: %w", il.name, o.err))
		}
		for _, violation := range o.violations {
			tr.violate("%s, on the correct services: %s", il.name, violation)
		}
	}
	var b strings.Builder
	b.WriteString(row("mutation", "interleaving", "caught by", "took") + row("---", "---", "---", "---:"))
	for i, m := range mutations {
		if broken[i] == nil {
			continue
		}
		o, by := broken[i], "**not caught**"
		reported := strings.Join(o.violations, "\n")
		switch at := strings.Index(reported, m.want); {
		case at >= 0: // caught, even if the broken system could not complete the run
			by = lineAt(reported, at)
			tr.count("mutations caught", 1)
		case o.err != nil:
			errs = append(errs, fmt.Errorf("run mutation %q: %w", m.name, o.err))
		default:
			tr.violate("mutation %q was not caught: interleaving %q reported %q", m.name, m.interleaving.name, reported)
		}
		b.WriteString(row(m.name, m.interleaving.name, by, o.took.Round(100*time.Millisecond).String()))
	}
	tr.count("interleavings run on the correct services", len(correct))
	tr.note("%s", strings.TrimSuffix(b.String(), "\n"))
	return errors.Join(errs...)
}

var idPattern = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)

// lineAt returns one line of the text: the line with the byte at the given index. It replaces each UUID by "…", and
// each "|" by a space, because a "|" would end a table cell.
func lineAt(text string, at int) string {
	line := text[strings.LastIndexByte(text[:at], '\n')+1:]
	line, _, _ = strings.Cut(line, "\n")
	return strings.ReplaceAll(idPattern.ReplaceAllString(line, "…"), "|", " ")
}
