package metrics

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// source is a reference to a data source.
type source struct{ Type, UID string }

// TestDashboard checks that each panel has a description, a text for missing data, and the data source that the first
// variable selects. promtool checks the syntax of each query. A test in test/e2e checks that the queries use metrics
// that exist.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile("../../k8s/helm/checkout/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		Templating struct {
			List []struct {
				Name, Type string
				Datasource *source
			}
		}
		Annotations struct{ List []struct{ Datasource source } }
		Panels      []struct {
			Title, Type, Description string
			Datasource               source
			FieldConfig              struct {
				Defaults struct {
					NoValue  string
					Mappings []struct {
						Options struct {
							Match  string
							Result struct{ Color string }
						}
					}
				}
			}
			Targets []struct {
				Expr       string
				Datasource source
			}
		}
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	want := source{"prometheus", "${datasource}"}
	check := func(what string, got source) {
		t.Helper()
		if got != want {
			t.Errorf("%s has the data source %v, want %v", what, got, want)
		}
	}
	if variable := d.Templating.List[0]; variable.Name != "datasource" || variable.Type != "datasource" {
		t.Errorf("the first variable is %+v, want the data source, because the other variables use the data source", variable)
	}
	for _, variable := range d.Templating.List[1:] {
		check("variable "+variable.Name, *variable.Datasource)
	}
	for _, annotation := range d.Annotations.List {
		check("annotation", annotation.Datasource)
	}
	rules := []map[string]string{}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if p.Description == "" || p.FieldConfig.Defaults.NoValue == "" {
			t.Errorf("panel %q: got the description %q and the text for no data %q, want both", p.Title, p.Description,
				p.FieldConfig.Defaults.NoValue)
		}
		// Grafana shows the text of noValue in the color of the lowest threshold, which is green. So a panel with the
		// text "unknown" must map the value null to orange.
		mapped := p.FieldConfig.Defaults.Mappings
		if p.Type == "stat" && p.FieldConfig.Defaults.NoValue == "unknown" &&
			(len(mapped) != 1 || mapped[0].Options.Match != "null" || mapped[0].Options.Result.Color != "orange") {
			t.Errorf("panel %q shows an unknown state in green: got the mappings %+v, want null in orange", p.Title, mapped)
		}
		check("panel "+p.Title, p.Datasource)
		for _, target := range p.Targets {
			check("a query of panel "+p.Title, target.Datasource)
			expr := strings.NewReplacer("$service", ".*", "$__rate_interval", "1m").Replace(target.Expr)
			rules = append(rules, map[string]string{"record": "x", "expr": expr})
		}
	}
	if len(rules) < 35 {
		t.Fatalf("found only %d queries, want at least 35", len(rules))
	}
	file, err := json.Marshal(map[string]any{"groups": []any{map[string]any{"name": "dashboard", "rules": rules}}})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "dashboard.yml") // every JSON file is valid YAML
	if err := os.WriteFile(path, file, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("promtool", "check", "rules", "--lint=none", path).CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
}
