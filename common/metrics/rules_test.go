package metrics

import (
	"os/exec"
	"testing"
)

// The rules are well-formed, fire when they must, and only then: rules_test.yml, by Prometheus' own tool.
func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "rules.yml"}, {"test", "rules", "rules_test.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}
