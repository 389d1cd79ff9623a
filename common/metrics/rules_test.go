package metrics

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

const rulesFile = "../../k8s/helm/checkout/files/rules.yml"

// TestRules runs promtool on the rules and on their tests in rules_test.yml.
func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", rulesFile}, {"test", "rules", "rules_test.yml"}} {
		if out, err := exec.Command("promtool", args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestRunbook checks that each alert links to its section of the runbook, and that each section has an alert.
func TestRunbook(t *testing.T) {
	rules, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	_, runbook, found := strings.Cut(string(page), "\n## Runbook\n")
	if !found {
		t.Fatal("docs/operations.md has no section Runbook")
	}
	runbook, _, _ = strings.Cut(runbook, "\n## ")
	sections := map[string]string{}
	for _, section := range strings.Split(runbook, "\n### ")[1:] {
		title, text, _ := strings.Cut(section, "\n")
		sections[title] = strings.TrimSpace(text)
	}
	alerts := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatchIndex(string(rules), -1)
	if len(alerts) < 10 {
		t.Fatalf("found only %d alerts, want at least 10", len(alerts))
	}
	for i, at := range alerts {
		end := len(rules)
		if i+1 < len(alerts) {
			end = alerts[i+1][0]
		}
		name, rule := string(rules[at[2]:at[3]]), string(rules[at[0]:end])
		if sections[name] == "" {
			t.Errorf("alert %s has no section in docs/operations.md", name)
		}
		delete(sections, name)
		link := "runbook_url: https://github.com/OWNER/checkout/blob/main/docs/operations.md#" + strings.ToLower(name) + "\n"
		if !strings.Contains(rule, link) {
			t.Errorf("alert %s does not have the annotation %q", name, link)
		}
	}
	for title := range sections {
		t.Errorf("the runbook's section %q has no alert", title)
	}
}
