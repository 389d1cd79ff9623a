package main

import (
	"os/exec"
	"strings"
	"testing"
)

// TestMakeComposeRemovesOrphans checks that `make compose` removes the instances beyond MACHINES. Otherwise, these
// instances would keep running with an old configuration.
func TestMakeComposeRemovesOrphans(t *testing.T) {
	out, err := exec.Command("make", "-n", "--no-print-directory", "-C", "../..", "compose", "MACHINES=1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "docker compose up --build --remove-orphans") {
		t.Errorf("make -n compose: got error %v, want no error and the option --remove-orphans in:\n%s", err, out)
	}
}
