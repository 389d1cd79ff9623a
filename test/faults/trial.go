package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"checkout/test/stack"
)

// trial is one run of a scenario on a system of a given size, with the results of the run. It is safe for concurrent
// use.
type trial struct {
	scenario scenario
	size     stack.Size
	options  options
	progress *progress

	mu         sync.Mutex
	began      time.Time
	took       time.Duration
	faults     map[string]int // number of injected faults, by kind
	counts     map[string]int // other numbers in the report
	outcomes   map[string]int // number of checkouts, by status of the response
	now        []string       // current faults and actions
	status     func() string  // additional status for the progress display, or nil
	violated   int
	violations []string // the first maxViolations violations
	notes      []string // additional paragraphs of the report
}

// name returns the name of the trial in the report.
func (tr *trial) name() string {
	return tr.scenario.name + " " + tr.describeSize()
}

// describeSize returns the numbers of instances and shards of each service, such as "2x2". For replicated shards, it
// adds the number of nodes, such as "2x2x3".
func (tr *trial) describeSize() string {
	size := fmt.Sprintf("%dx%d", tr.size.Instances, tr.size.Shards)
	if tr.scenario.copies > 1 {
		size += fmt.Sprintf("x%d", tr.scenario.copies)
	}
	return size
}

func (tr *trial) run(ctx context.Context) error {
	tr.mu.Lock()
	tr.began, tr.faults, tr.counts, tr.outcomes = time.Now(), map[string]int{}, map[string]int{}, map[string]int{}
	tr.mu.Unlock()
	tr.progress.logf("%s: %s", tr.name(), tr.scenario.about)
	err := tr.scenario.run(ctx, tr)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.took = time.Since(tr.began)
	return err
}

// random returns a random number generator that depends only on the seed, the trial and the arguments.
func (tr *trial) random(name string, n uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, tr.name(), " ", name)
	return rand.New(rand.NewPCG(tr.options.seed^h.Sum64(), n))
}

// inject counts a fault, and shows it in the progress display until the caller calls the returned function.
func (tr *trial) inject(kind, target string) (done func()) {
	tr.mu.Lock()
	tr.faults[kind]++
	tr.mu.Unlock()
	return tr.show(kind + " " + target)
}

// show shows a text in the progress display until the caller calls the returned function.
func (tr *trial) show(text string) (done func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.now = append(tr.now, text)
	return sync.OnceFunc(func() {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		if i := slices.Index(tr.now, text); i >= 0 {
			tr.now = append(tr.now[:i:i], tr.now[i+1:]...)
		}
	})
}

// setStatus adds the result of status to the progress display until the caller calls the returned function.
func (tr *trial) setStatus(status func() string) (done func()) {
	set := func(status func() string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.status = status
	}
	set(status)
	return func() { set(nil) }
}

// count adds n to a number in the report.
func (tr *trial) count(name string, n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.counts[name] += n
}

// recordMax records n in the report if it is the largest value so far.
func (tr *trial) recordMax(name string, n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	name = "most " + name
	tr.counts[name] = max(tr.counts[name], n)
}

// recordLongest records a time in the report if it is the longest so far.
func (tr *trial) recordLongest(name string, took time.Duration) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	name = fmt.Sprintf("longest time %s, ms", name)
	tr.counts[name] = max(tr.counts[name], int(took.Milliseconds()))
}

// countCheckout counts a checkout that ended, with or without a response.
func (tr *trial) countCheckout(outcome string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.outcomes[outcome]++
	tr.counts["checkouts"]++
}

// maxViolations is the maximum number of violations that the report quotes for each trial.
const maxViolations = 100

// violate records and prints a violation.
func (tr *trial) violate(format string, args ...any) {
	violation := fmt.Sprintf(format, args...)
	tr.mu.Lock()
	tr.violated++
	if len(tr.violations) < maxViolations {
		tr.violations = append(tr.violations, violation)
	}
	tr.mu.Unlock()
	tr.progress.logf("VIOLATION in %s: %s", tr.name(), violation)
}

// failed reports whether the trial has found a violation.
func (tr *trial) failed() bool {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return tr.violated > 0
}

// note adds a paragraph to the report.
func (tr *trial) note(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.notes = append(tr.notes, fmt.Sprintf(format, args...))
}
