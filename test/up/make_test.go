package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestMakeHelpListsEveryTarget checks that `make help` lists every target and nothing else.
func TestMakeHelpListsEveryTarget(t *testing.T) {
	makefile, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("make", "--no-print-directory", "-C", "../..", "help").Output()
	if err != nil {
		t.Fatal(err)
	}
	listed := map[string]bool{}
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		if len(words) < 3 || words[0] != "make" {
			t.Errorf("line %q of help: want a target and its description", line)
			continue
		}
		listed[words[1]] = true
	}
	targets := regexp.MustCompile(`(?m)^([A-Za-z0-9_-]+):`).FindAllStringSubmatch(string(makefile), -1)
	if len(targets) < 10 {
		t.Fatalf("found only %d targets, want at least 10", len(targets))
	}
	for _, target := range targets {
		if !listed[target[1]] {
			t.Errorf("make help does not list the target %s", target[1])
		}
		delete(listed, target[1])
	}
	for name := range listed {
		t.Errorf("make help lists %s, which is not a target of the Makefile", name)
	}
}
