package main

import (
	"fmt"
	"io"
	"strings"
	"testing"
)

// TestTheReportTellsItsCommand: what is told runs the same again, and is told by that again.
func TestTheReportTellsItsCommand(t *testing.T) {
	for args, want := range map[string]string{
		"-seed 7":                             "-seed 7",
		"":                                    "-seed %d",
		"-seed 0 -race -o /tmp/x -rate 1e2":   "-race=true -rate 100 -seed %d",
		"-scenario=mix --duration 60s -o=y":   "-duration 1m0s -scenario mix -seed %d",
		"-sizes 2x2 -only who's -seed 3 -o z": `-only 'who'\''s' -sizes 2x2 -seed 3`,
	} {
		o, err := parseOptions(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(want, "%d") {
			want = fmt.Sprintf(want, o.seed)
		}
		if o.command != "go run ./test/faults "+want {
			t.Errorf("%q is told as %s", args, o.command)
		}
		again, err := parseOptions(strings.Fields(strings.ReplaceAll(strings.TrimPrefix(o.command, "go run ./test/faults"), `'who'\''s'`, "who's")), io.Discard)
		if err != nil || again.command != o.command {
			t.Errorf("%s is told as %s, %v", o.command, again.command, err)
		}
	}
}
