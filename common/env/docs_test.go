package env

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// TestDocsListEveryVariable checks that docs/deploy.md contains exactly the table of Variables.
func TestDocsListEveryVariable(t *testing.T) {
	page, err := os.ReadFile("../../docs/deploy.md")
	if err != nil {
		t.Fatal(err)
	}
	var want strings.Builder
	want.WriteString("| variable | meaning | default |\n|---|---|---|\n")
	for _, v := range Variables {
		fmt.Fprintf(&want, "| %s | %s | %s |\n", v.Name, v.Meaning, v.Default)
	}
	if !strings.Contains(string(page), want.String()+"\n") {
		t.Errorf("docs/deploy.md lacks the table\n%s", want.String())
	}
}

// TestVariablesAreThoseThatParseReads checks that Variables lists exactly what Parse reads.
func TestVariablesAreThoseThatParseReads(t *testing.T) {
	read := map[string]bool{}
	Parse(func(name string) string { read[name] = true; return "" }, Order, Stock, Payment)
	for _, v := range Variables {
		for name := range strings.SplitSeq(v.Name, ", ") {
			if !read[name] {
				t.Errorf("Variables documents %s, which Parse does not read", name)
			}
			delete(read, name)
		}
	}
	for name := range read {
		t.Errorf("Parse reads %s, which Variables does not document", name)
	}
}
