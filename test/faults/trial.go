package main

import (
	"context"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"sync"
	"time"

	"checkout/test/stack"
)

// trial is one scenario on one size of system, and what was seen of it. It may be told of things from anywhere, at any time.
type trial struct {
	scenario scenario
	size     stack.Size
	options  options
	live     *live

	mu         sync.Mutex
	began      time.Time
	took       time.Duration
	faults     map[string]int // injected, by kind
	counts     map[string]int // of anything else that the report is to say: "checkouts", "histories checked" …
	outcomes   map[string]int // answers to checkouts, by status
	now        []string       // injected at this moment
	stands     func() string  // how else it stands at this moment; nil: there is nothing to tell
	violated   int
	violations []string // the first of them
	notes      []string // further paragraphs of the report: tables, findings
}

// name tells trials apart.
func (tr *trial) name() string {
	return fmt.Sprintf("%s %dx%d", tr.scenario.name, tr.size.Instances, tr.size.Shards)
}

// run runs the scenario.
func (tr *trial) run(ctx context.Context) error {
	tr.mu.Lock()
	tr.began, tr.faults, tr.counts, tr.outcomes = time.Now(), map[string]int{}, map[string]int{}, map[string]int{}
	tr.mu.Unlock()
	tr.live.say("%s: %s", tr.name(), tr.scenario.about)
	err := tr.scenario.run(ctx, tr)
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.took = time.Since(tr.began)
	return err
}

// dice are the choices of one chooser. They depend on the seed, the trial and the chooser's name alone, never on time.
func (tr *trial) dice(who string, n uint64) *rand.Rand {
	h := fnv.New64a()
	fmt.Fprint(h, tr.name(), " ", who)
	return rand.New(rand.NewPCG(tr.options.seed^h.Sum64(), n))
}

// inject counts a fault of a kind and shows it, as what it does to what, until the function that it returns is called.
func (tr *trial) inject(kind, what string) (over func()) {
	tr.mu.Lock()
	tr.faults[kind]++
	tr.mu.Unlock()
	return tr.show(kind + " " + what)
}

// show shows what is done now, until the function that it returns is called.
func (tr *trial) show(shown string) (over func()) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.now = append(tr.now, shown)
	return sync.OnceFunc(func() {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		for i, other := range tr.now {
			if other == shown {
				tr.now = append(tr.now[:i:i], tr.now[i+1:]...)
				return
			}
		}
	})
}

// standing has the live view tell how else it stands, until the function that it returns is called.
func (tr *trial) standing(how func() string) (over func()) {
	set := func(how func() string) {
		tr.mu.Lock()
		defer tr.mu.Unlock()
		tr.stands = how
	}
	set(how)
	return func() { set(nil) }
}

// count adds to a figure of the report.
func (tr *trial) count(what string, n int) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.counts[what] += n
}

// told counts an answer to a checkout.
func (tr *trial) told(outcome string) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.outcomes[outcome]++
	tr.counts["checkouts"]++
}

// keptViolations is how many the report tells in full: more say nothing new.
const keptViolations = 100

// violate tells of a promise that was broken.
func (tr *trial) violate(format string, args ...any) {
	found := fmt.Sprintf(format, args...)
	tr.mu.Lock()
	tr.violated++
	if len(tr.violations) < keptViolations {
		tr.violations = append(tr.violations, found)
	}
	tr.mu.Unlock()
	tr.live.say("VIOLATION in %s: %s", tr.name(), found)
}

// note adds a paragraph to the report.
func (tr *trial) note(format string, args ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.notes = append(tr.notes, fmt.Sprintf(format, args...))
}
