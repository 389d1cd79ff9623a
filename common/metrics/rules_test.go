package metrics

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
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

// Each alert has its section in the runbook, which its annotation names, and each section its alert.
func TestRunbook(t *testing.T) {
	rules, err := os.ReadFile("rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	runbook, err := os.ReadFile("../../RUNBOOK.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for section := range strings.SplitSeq(string(runbook), "\n## ") {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = strings.TrimSpace(text)
	}
	delete(sections, "# Runbook")
	alerts := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatchIndex(string(rules), -1)
	if len(alerts) < 10 {
		t.Fatalf("%d alerts were found", len(alerts))
	}
	for i, at := range alerts {
		end := len(rules)
		if i+1 < len(alerts) {
			end = alerts[i+1][0]
		}
		name, rule := string(rules[at[2]:at[3]]), string(rules[at[0]:end])
		if sections[name] == "" {
			t.Errorf("%s has no section in the runbook", name)
		}
		delete(sections, name)
		if link := "runbook: RUNBOOK.md#" + strings.ToLower(name) + "\n"; !strings.Contains(rule, link) {
			t.Errorf("%s does not say %q", name, link)
		}
	}
	for title := range sections {
		t.Errorf("section %q is of no alert", title)
	}
}
