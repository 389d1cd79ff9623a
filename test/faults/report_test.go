package main

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// TestReport checks the progress display, the log, the error and the report of a trial with many violations.
func TestReport(t *testing.T) {
	o, err := parseOptions([]string{"-scenario", "mix", "-sizes", "1x1", "-seed", "7"}, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	tr := o.trials(&progress{w: &log})[0]
	tr.faults, tr.counts, tr.outcomes = map[string]int{}, map[string]int{}, map[string]int{}
	r := &report{command: o.command, seed: o.seed, date: time.Now(), environment: []string{"a computer"}}
	r.add(tr)
	done := tr.inject("SIGKILL", "order-1")
	status := strings.Join(r.status(3), "\n")
	if !strings.Contains(status, "now: SIGKILL order-1") || !strings.Contains(status, "3 checkouts/s") {
		t.Errorf("status: got %q, want 'now: SIGKILL order-1' and '3 checkouts/s' in it", status)
	}
	done()
	tr.countCheckout("200")
	tr.count("order histories checked", 12)
	tr.note("A note.")
	if err := r.err(); err != nil {
		t.Error(err)
	}
	for range 150 {
		tr.violate("order 1 is lost")
	}
	err = r.err()
	const end = "\nmix 1x1: order 1 is lost\nmix 1x1: and 50 more"
	if !errors.Is(err, errViolations) || !strings.HasSuffix(err.Error(), end) {
		t.Errorf("report error: got %v, want errViolations with one violation and 'and 50 more' at the end", err)
	}
	if !strings.Contains(log.String(), "VIOLATION in mix 1x1: order 1 is lost") {
		t.Error("log: 'VIOLATION in mix 1x1: order 1 is lost' is missing")
	}
	text := r.markdown()
	for _, want := range []string{
		"`go run ./test/faults -scenario mix -sizes 1x1 -seed 7`", "- a computer", "- seed 7", "**Violations: 150.**",
		"| SIGKILL | 1 |", "200: 1", "- order histories checked: 12", "A note.", "- order 1 is lost", "- and 50 more",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("report: %q is missing:\n%s", want, text)
		}
	}
}
