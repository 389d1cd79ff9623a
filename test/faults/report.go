package main

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"checkout/test/host"
)

// report contains the results of a run.
type report struct {
	command     string
	seed        uint64
	date        time.Time
	environment []string
	interrupted bool

	mu     sync.Mutex
	trials []*trial // trials that have begun; the progress display shows the last one
}

func newReport(ctx context.Context, o options) *report {
	return &report{command: o.command, seed: o.seed, date: time.Now(), environment: describeEnvironment(ctx)}
}

// describeEnvironment describes this computer and the versions of the software.
func describeEnvironment(ctx context.Context) []string {
	versions := []string{runtime.Version()}
	for _, command := range [][]string{{"redis-server", "--version"}, {"valkey-server", "--version"}, {"nginx", "-v"}} {
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err == nil {
			versions = append(versions, strings.TrimSpace(string(out)))
		}
	}
	return []string{
		host.Processors("the clients") + ", " + host.Kernel(), strings.Join(versions, "; "), host.Commit(ctx),
	}
}

func (r *report) add(trials ...*trial) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trials = append(r.trials, trials...)
}

func (r *report) current() *trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.trials) == 0 {
		return nil
	}
	return r.trials[len(r.trials)-1]
}

// checkouts returns the number of checkouts that have ended, with or without a response.
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

// err returns errViolations with the first violations of each trial, or nil. The command prints this error last,
// because often only the end of a log is kept.
func (r *report) err() error {
	if r.violations() == 0 {
		return nil
	}
	var quoted []string
	for _, tr := range r.trials {
		for _, violation := range tr.quoted() {
			quoted = append(quoted, tr.name()+": "+violation)
		}
	}
	return fmt.Errorf("%w:\n%s", errViolations, strings.Join(quoted, "\n"))
}

// quoted returns the first violations, and one line with the number of the other violations.
func (tr *trial) quoted() []string {
	quoted := slices.Clone(tr.violations)
	if more := tr.violated - len(quoted); more > 0 {
		quoted = append(quoted, fmt.Sprintf("and %d more", more))
	}
	return quoted
}

func (r *report) markdown() string {
	var b strings.Builder
	date, took := r.date.UTC().Format("2006-01-02 15:04 MST"), time.Since(r.date).Round(time.Second)
	fmt.Fprintf(&b, "# Fault injection\n\n%s, %v, by `%s`\n\n", date, took, r.command)
	for _, line := range r.environment {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	fmt.Fprintf(&b, "- seed %d\n", r.seed)
	if r.interrupted {
		b.WriteString("\n**Interrupted: the last scenario is incomplete.**\n")
	}
	fmt.Fprintf(&b, "\n**Violations: %d.**\n\n", r.violations())
	b.WriteString(row("scenario", "size", "took", "faults", "checkouts", "responses", "violations"))
	b.WriteString(row("---", "---", "---:", "---:", "---:", "---", "---:"))
	for _, tr := range r.trials {
		b.WriteString(row(tr.scenario.name, tr.describeSize(), tr.took.Round(time.Second).String(),
			fmt.Sprint(sum(tr.faults)), fmt.Sprint(tr.counts["checkouts"]), formatCounts(tr.outcomes), fmt.Sprint(tr.violated)))
	}
	r.writeFaults(&b)
	for _, tr := range r.trials {
		tr.write(&b)
	}
	return b.String()
}

// writeFaults writes a table of the injected faults, by kind and trial.
func (r *report) writeFaults(b *strings.Builder) {
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

func (tr *trial) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n%s.\n\n", tr.name(), tr.scenario.about)
	for _, name := range slices.Sorted(maps.Keys(tr.counts)) {
		fmt.Fprintf(b, "- %s: %d\n", name, tr.counts[name])
	}
	for _, note := range tr.notes {
		fmt.Fprintf(b, "\n%s\n", note)
	}
	if len(tr.violations) > 0 {
		b.WriteString("\nViolations:\n\n")
		for _, quoted := range tr.quoted() {
			fmt.Fprintf(b, "- %s\n", strings.ReplaceAll(quoted, "\n", "\n  "))
		}
	}
}

// row formats a row of a Markdown table.
func row(cells ...string) string { return "| " + strings.Join(cells, " | ") + " |\n" }
