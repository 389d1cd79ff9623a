package steps

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestRunSelectsStepsAndStopsAtRequired checks which steps run, and that Run stops after a failed required step.
func TestRunSelectsStepsAndStopsAtRequired(t *testing.T) {
	for _, c := range []struct{ first, skip, fail, want string }{
		{"", "", "", "a b c"},
		{"b", "", "", "b c"},
		{"", "b", "", "a c"},
		{"", "", "a", "a b c"},
		{"", "", "b", "a b"}, // b is required
		{"missing", "", "a", ""},
	} {
		var ran []string
		step := func(name string) Step {
			return Step{name, func(context.Context) error {
				ran = append(ran, name)
				if name == c.fail {
					return errors.New("failed")
				}
				return nil
			}, name == "b"}
		}
		r := Runner{Out: io.Discard, First: c.first, Skip: c.skip, State: func(context.Context) string { return "" }}
		err := r.Run(context.Background(), []Step{step("a"), step("b"), step("c")})
		if got := strings.Join(ran, " "); got != c.want || (err != nil) != (c.fail != "") {
			t.Errorf("run with first %q, skip %q, failing step %q: ran steps %q with error %v, want steps %q",
				c.first, c.skip, c.fail, got, err, c.want)
		}
	}
}

// TestReportKeepsNotes checks that a new report replaces the output and keeps the notes.
func TestReportKeepsNotes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results", "report.md")
	if err := writeReport(file, "test-x", "first\n"); err != nil {
		t.Fatal(err)
	}
	text, _ := os.ReadFile(file)
	if err := os.WriteFile(file, append(text, notes+"\nkeep this\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := writeReport(file, "test-x", "second\n"); err != nil {
		t.Fatal(err)
	}
	text, _ = os.ReadFile(file)
	if got := string(text); strings.Contains(got, "first") || !strings.Contains(got, "second") ||
		!strings.Contains(got, "keep this") {
		t.Errorf("report: got %q, want the second output and the notes", got)
	}
}
