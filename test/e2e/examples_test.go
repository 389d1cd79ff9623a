package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"checkout/test/stack"
)

// TestExampleClients checks that each example client can buy two of ten pieces at a price of 5.
func TestExampleClients(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{})
	root, err := stack.Root()
	s.must(err)
	for name, command := range map[string][]string{
		"curl":   {"sh", "test/examples/shop.sh"},
		"Python": {python, "test/examples/shop.py"},
		"Go":     {"go", "run", "./test/examples/go"},
	} {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), "GATEWAY_URL="+s.Stack.Gateway())
		out, err := cmd.CombinedOutput()
		if want := "paid: true\ncredit: 90\nstock: 8\n"; err != nil || string(out) != want {
			t.Errorf("%s: %v\n%s\nwant\n%s", name, err, out, want)
		}
	}
}

// TestLocustUsersGetNoFailures checks that no request of the Locust users fails in a short run, and that the tables
// count refusals separately.
func TestLocustUsersGetNoFailures(t *testing.T) {
	t.Parallel()
	s := start(t, stack.Config{Race: true})
	root, err := stack.Root()
	s.must(err)
	results := t.TempDir()
	cmd := exec.Command("test/stress/run")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GATEWAY_URL="+s.Stack.Gateway(), "USERS=8", "DURATION=6s", "COUNT=1000", "ITEMS=20",
		"THINK=0.05", "CREDIT=150", "RESULTS="+results, "PYTHONDONTWRITEBYTECODE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for kind, names := range map[string][]string{
		"course": {"POST /orders/checkout"},
		"shop":   {"GET /stock/find", "POST /orders/addItem", "POST /orders/checkout", "POST /orders/checkout: refused, 402"},
	} {
		table, err := os.ReadFile(filepath.Join(results, kind+"_stats.csv"))
		s.must(err)
		for _, name := range names {
			if !strings.Contains(string(table), name) {
				t.Errorf("%s: the table does not contain %q:\n%s", kind, name, table)
			}
		}
	}
	s.settle()
}
