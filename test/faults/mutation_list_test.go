package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMutationsApply checks that the edits of every mutation apply to the current source.
func TestMutationsApply(t *testing.T) {
	product, err := productWithShortTimes()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range mutations {
		if _, err := product.edited(m.edits); err != nil {
			t.Errorf("%s: %v", m.name, err)
		}
		if len(m.edits)+len(m.redisArgs) == 0 || m.want == "" {
			t.Errorf("mutation %q: want an edit or a Redis argument, and an expected violation", m.name)
		}
	}
}

// TestCheckersReportViolations checks that the source of package check contains the violations that mutations expect.
func TestCheckersReportViolations(t *testing.T) {
	files, err := filepath.Glob("../check/*.go")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(text)
	}
	for _, text := range []string{
		heldForever, notConserved, holdsNothing, neverExpires, wasRefused, wrongState, wasPaid, expiresLate, isLost,
	} {
		if !strings.Contains(source.String(), text) {
			t.Errorf("package check does not report %q", text)
		}
	}
}

// TestMatrixHasEveryStep checks that the matrix names each step of the protocol once.
func TestMatrixHasEveryStep(t *testing.T) {
	names := map[string]bool{}
	for _, p := range matrixPoints() {
		if names[p.name] {
			t.Errorf("matrix point %s: listed twice", p.name)
		}
		names[p.name] = true
	}
	for _, want := range []string{
		"coordinator commit", "coordinator refuse", "recovery claim", "recovery confirmed", "stock release done",
		"payment confirm received",
	} {
		if !names[want] {
			t.Errorf("matrix point %s: missing", want)
		}
	}
	if want := 13 + 2*8 + 12; len(names) != want {
		t.Errorf("the matrix has %d points, want %d", len(names), want)
	}
}
