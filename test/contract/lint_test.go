package contract

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"checkout/test/npm"
)

const (
	redocly  = "@redocly/cli@2.77.0"
	spectral = "@stoplight/spectral-cli@6.16.3"
)

// TestDocumentIsLintClean checks that the recommended rules of redocly and spectral find nothing in the document, not
// even a warning. Each linter must also find a fault that the test adds to the document.
func TestDocumentIsLintClean(t *testing.T) {
	t.Parallel()
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	npm.Run(t, folder, "npm", "install", "--silent", "--no-audit", "--no-fund", "--prefer-offline", redocly, spectral)
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(folder, name), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write(".spectral.json", []byte(`{"extends": ["spectral:oas"]}`))
	// A linter exits with an error if it reports a problem, so the test ignores the exit status.
	lint := func(document []byte, command ...string) []string {
		t.Helper()
		write("openapi.json", document)
		cmd := exec.Command("npx", append(command, "openapi.json")...)
		cmd.Dir = folder
		cmd.Env = append(os.Environ(), "REDOCLY_TELEMETRY=off", "REDOCLY_SUPPRESS_UPDATE_NOTICE=true")
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		out, _ := cmd.Output()
		var problems struct {
			Problems []struct{ RuleID, Message string }
		}
		var list []struct{ Code, Message string }
		err := json.Unmarshal(out, &problems)
		if command[0] == "spectral" {
			err = json.Unmarshal(out, &list)
		}
		if err != nil {
			t.Fatalf("%v: %v\n%s%s", command, err, out, stderr.String())
		}
		var found []string
		for _, p := range problems.Problems {
			found = append(found, p.RuleID+": "+p.Message)
		}
		for _, p := range list {
			found = append(found, p.Code+": "+p.Message)
		}
		return found
	}
	for _, linter := range []struct {
		command         []string
		from, to, fault string // the old and the new text of an edit, and the rule that must report the edit
	}{
		{[]string{"redocly", "lint", "--format=json"}, `"/orders": {`, `"/orders/": {`, "no-path-trailing-slash"},
		{[]string{"spectral", "lint", "--format=json", "--quiet"}, `"example": 2`, `"example": "two"`,
			"oas3-valid-media-example"},
	} {
		for _, problem := range lint(d.JSON, linter.command...) {
			t.Errorf("%s: %s", linter.command[0], problem)
		}
		edited := bytes.Replace(d.JSON, []byte(linter.from), []byte(linter.to), 1)
		found := lint(edited, linter.command...)
		if !slices.ContainsFunc(found, func(p string) bool { return strings.HasPrefix(p, linter.fault) }) {
			t.Errorf("%s reports %q for a document with %s, want the rule %s",
				linter.command[0], found, linter.to, linter.fault)
		}
	}
}

// TestEnumsHaveNames checks that each enumeration names its values for client generators. The names must be unique in
// the whole document, because some languages have no namespaces for these names.
func TestEnumsHaveNames(t *testing.T) {
	d, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	enums, owners := 0, map[string]string{}
	d.Walk(func(location string, node map[string]any) {
		values, ok := node["enum"].([]any)
		if !ok {
			return
		}
		enums++
		if names, _ := node["x-enum-varnames"].([]any); len(names) != len(values) {
			t.Errorf("%s: got %d names for %d values, want one name per value", location, len(names), len(values))
		} else {
			for _, name := range names {
				if other, taken := owners[name.(string)]; taken {
					t.Errorf("%s: the name %s is also in %s", location, name, other)
				}
				owners[name.(string)] = location
			}
		}
	})
	if enums < 4 {
		t.Errorf("found %d enumerations, want at least 4", enums)
	}
}
