package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestCommandReproducesRun checks that parsing the command in the report returns the same options.
func TestCommandReproducesRun(t *testing.T) {
	for args, want := range map[string]string{
		"-seed 7":                             "-seed 7",
		"-mutations 3 -seed 3":                "-mutations 3 -seed 3",
		"":                                    "-seed %d",
		"-seed 0 -race -o /tmp/x -rate 1e2":   "-race=true -rate 100 -seed %d",
		"-scenario=mix --duration 60s -o=y":   "-duration 1m0s -scenario mix -seed %d",
		"-sizes 2x2 -only one's -seed 3 -o z": `-only 'one'\''s' -sizes 2x2 -seed 3`,
	} {
		o, err := parseOptions(strings.Fields(args), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(want, "%d") {
			want = fmt.Sprintf(want, o.seed)
		}
		command, ok := strings.CutPrefix(o.command, "go run ./test/faults ")
		if !ok || command != want {
			t.Errorf("command of %q: got %q, want 'go run ./test/faults' and then %q", args, o.command, want)
		}
		again, err := parseOptions(strings.Fields(strings.ReplaceAll(command, `'one'\''s'`, "one's")), io.Discard)
		if err != nil || again.command != o.command {
			t.Errorf("parse command %q: got %q, error %v, want the same command", o.command, again.command, err)
		}
	}
}

// TestOptionsRejectInvalidFlags checks that parseOptions rejects invalid values and arguments.
func TestOptionsRejectInvalidFlags(t *testing.T) {
	for _, args := range []string{
		"-scenario nothing", "-sizes 2", "-sizes 0x1", "-sizes 1x", "-duration 0s", "-clients 0", "-rate -1", "more",
	} {
		if _, err := parseOptions(strings.Fields(args), io.Discard); err == nil {
			t.Errorf("parse %q: got no error, want one", args)
		}
	}
}

// TestSizesShareDuration checks that the duration is divided among the trials of a timed scenario.
func TestSizesShareDuration(t *testing.T) {
	o, err := parseOptions(strings.Fields("-scenario mix -sizes 1x1,3x2 -duration 2h -rate 50"), io.Discard)
	if err != nil || o.seed == 0 {
		t.Fatal(o, err)
	}
	trials := o.trials(nil)
	if len(trials) != 2 || trials[1].name() != "mix 3x2" || trials[0].options.duration != time.Hour {
		t.Errorf("got %d trials of %v, want 2 of 1h, the second named mix 3x2",
			len(trials), trials[0].options.duration)
	}
}

// TestTheSeedSelectsMutations checks that a seed selects the same mutations each time. It also checks that many
// seeds together select all mutations of the checkout protocol.
func TestTheSeedSelectsMutations(t *testing.T) {
	seen := map[int]bool{}
	for seed := range uint64(200) {
		o := options{seed: seed, mutations: 8}
		chosen := o.chooseMutations()
		if len(chosen) != 8 || !slices.Equal(chosen, o.chooseMutations()) || !slices.IsSorted(chosen) {
			t.Fatalf("seed %d selects %v, want 8 mutations in ascending order, the same each time", seed, chosen)
		}
		for _, i := range chosen {
			seen[i] = true
		}
	}
	if len(seen) != len(protocolMutations) || len((options{}).chooseMutations()) != len(mutations) {
		t.Errorf("200 seeds select %d of %d protocol mutations, want all; without -mutations, want all mutations",
			len(seen), len(protocolMutations))
	}
}
