package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// report is everything that was done and found.
type report struct {
	command     string
	seed        uint64
	date        time.Time
	machine     []string
	interrupted bool

	mu     sync.Mutex
	trials []*trial // those that have begun, the current one last
}

func newReport(ctx context.Context, o options) *report {
	return &report{command: o.command, seed: o.seed, date: time.Now(), machine: describe(ctx)}
}

func (r *report) add(tr *trial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trials = append(r.trials, tr)
}

func (r *report) current() *trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.trials) == 0 {
		return nil
	}
	return r.trials[len(r.trials)-1]
}

// checkouts is how many were answered so far.
func (r *report) checkouts() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	total := 0
	for _, tr := range r.trials {
		tr.mu.Lock()
		total += sum(tr.outcomes)
		tr.mu.Unlock()
	}
	return total
}

func (r *report) violations() int {
	total := 0
	for _, tr := range r.trials {
		total += tr.violated
	}
	return total
}

// broken is errViolations with what was found, or nil. It is the last that is printed: of a long output often only the end is kept.
func (r *report) broken() error {
	if r.violations() == 0 {
		return nil
	}
	var found []string
	for _, tr := range r.trials {
		for _, what := range tr.violations {
			found = append(found, tr.name()+": "+what)
		}
		if more := tr.violated - len(tr.violations); more > 0 {
			found = append(found, fmt.Sprintf("%s: and %d more", tr.name(), more))
		}
	}
	return fmt.Errorf("%w:\n%s", errViolations, strings.Join(found, "\n"))
}

func (r *report) markdown() string {
	var b strings.Builder
	took := time.Since(r.date)
	fmt.Fprintf(&b, "# Faults, injected and borne\n\n%s, %v, by `%s`\n\n", r.date.UTC().Format("2006-01-02 15:04 MST"), took.Round(time.Second), r.command)
	for _, line := range r.machine {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	fmt.Fprintf(&b, "- seed %d\n", r.seed)
	if r.interrupted {
		b.WriteString("\n**Interrupted: the last scenario did not run to its end.**\n")
	}
	fmt.Fprintf(&b, "\n**Violations: %d.**\n\n", r.violations())
	b.WriteString(row("scenario", "size", "took", "faults", "checkouts", "answered", "violations"))
	b.WriteString(row("---", "---", "---:", "---:", "---:", "---", "---:"))
	for _, tr := range r.trials {
		b.WriteString(row(tr.scenario.name, fmt.Sprintf("%dx%d", tr.size.Instances, tr.size.Shards), tr.took.Round(time.Second).String(),
			fmt.Sprint(sum(tr.faults)), fmt.Sprint(tr.counts["checkouts"]), listed(tr.outcomes), fmt.Sprint(tr.violated)))
	}
	r.kinds(&b)
	for _, tr := range r.trials {
		tr.markdown(&b)
	}
	return b.String()
}

// kinds is how often each kind of fault was injected, by trial.
func (r *report) kinds(b *strings.Builder) {
	all := map[string]bool{}
	head, rule := []string{"fault"}, []string{"---"}
	for _, tr := range r.trials {
		head, rule = append(head, tr.name()), append(rule, "---:")
		for kind := range tr.faults {
			all[kind] = true
		}
	}
	if len(all) == 0 {
		return
	}
	b.WriteString("\n" + row(head...) + row(rule...))
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		cells := []string{kind}
		for _, tr := range r.trials {
			cells = append(cells, fmt.Sprint(tr.faults[kind]))
		}
		b.WriteString(row(cells...))
	}
}

func (tr *trial) markdown(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", tr.name(), tr.scenario.about)
	for _, what := range slices.Sorted(maps.Keys(tr.counts)) {
		fmt.Fprintf(b, "- %s: %d\n", what, tr.counts[what])
	}
	for _, note := range tr.notes {
		fmt.Fprintf(b, "\n%s\n", note)
	}
	if len(tr.violations) > 0 {
		b.WriteString("\nViolations:\n\n")
		for _, found := range tr.violations {
			fmt.Fprintf(b, "- %s\n", strings.ReplaceAll(found, "\n", "\n  "))
		}
		if more := tr.violated - len(tr.violations); more > 0 {
			fmt.Fprintf(b, "- and %d more\n", more)
		}
	}
}

func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }
